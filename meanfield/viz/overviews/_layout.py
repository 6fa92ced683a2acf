"""How a variable of a labelled dataset is drawn: what runs along, what is a curve, what is a band."""

import warnings
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .._inputs import LARGEST
from ._outcomes import CLOCKS, RUNS, are_ends, at_most, ended, of_runs, still_going
from ._quantity import Cloud, Curves, Numbers, Quantity, Sheet, Spread, log_values, named, scale

DRAWS = (
    "realization",
    "draw",
    "sample",
    "replica",
    "chain",
    "seed",
    "token",
    "text",
    "model",
    "image",
)
"""Dimensions of independent draws, over which a median and a band stand."""
ALONG = ("time", "t", "layer", "s", "save", "frame", "step")
"""Dimensions that go along, if they are there, however short."""
PLACES = ("angle", "gap", "point")
"""Dimensions that go along before those: a density is a curve over places, one a time."""
PLANES = (("latitude", "longitude"), ("y", "x"), ("query", "key"))
PARTS = ("part", "row", "column", "axis")
"""Dimensions that say what a number is a part of: the first is drawn."""
MOST_LINES, MANY = 7, 8
BEYOND = 1e280
"""Quantiles above that are between a number and infinity."""
COUNTED = ("label", "kept", "absorbed", "low", "high", *CLOCKS)
"""Variables that only serve others."""
FINE = ("completed", "converged", "resolved", "rested")
"""What needs no picture where it holds throughout."""


class _Banded(NamedTuple):
    """A variable with an interval about it, where there is one, and what the interval is."""

    mid: xr.DataArray
    low: xr.DataArray | None
    high: xr.DataArray | None
    note: str


def laid_out(dataset: xr.Dataset) -> list[tuple[str, Quantity]]:
    """What is drawn of each variable, in the order of the dataset; clouds come last."""
    found = []
    for name, values in dataset.data_vars.items():
        if values.dtype.kind not in "biuf" or _serves(dataset, str(name)):
            continue
        if of_runs(values) and values.dtype.kind != "b":
            found.append((str(name), _of_outcomes(dataset, values)))
            continue
        if name in FINE and bool((values == 1).all()):
            continue
        quantity = _cloud(values) if "axis" in values.dims else _laid_out(dataset, str(name))
        if quantity is not None:
            found.append((str(name), quantity))
    return sorted(found, key=lambda pair: isinstance(pair[1], Cloud))


def _serves(dataset: xr.Dataset, name: str) -> bool:
    """Whether a variable only serves others: an abscissa, the end of an interval, an error."""
    ends = ("_low", "_high", "_error", "_each", "_exact")
    bases = [name.removesuffix(end) for end in ends if name.endswith(end)]
    if are_ends(dataset[name]):
        return False
    whether = ended(dataset)
    over = whether is not None and whether.name == name
    return over or name in COUNTED or any(base in dataset for base in bases)


def _laid_out(dataset: xr.Dataset, name: str) -> Quantity | None:
    banded = _banded(dataset, name)
    mid = banded.mid
    numeric = [dim for dim in mid.dims if _is_numeric(mid, dim)]
    if not mid.dims or not np.isfinite(mid.values).any():
        return None
    if not numeric:
        return _spread(dataset, banded)
    for pair in PLANES:
        if {*pair} <= {*numeric}:
            return _sheet(dataset, mid, *pair)
    places = [dim for dim in numeric if dim in PLACES]
    along = places or [dim for dim in numeric if dim in ALONG] or numeric
    across = max(along, key=lambda dim: mid.sizes[dim])
    others = [dim for dim in numeric if dim != across and mid.sizes[dim] >= MANY]
    if others and banded.low is None and mid.sizes[across] >= MANY and across in mid.coords:
        return _sheet(dataset, mid, max(others, key=lambda dim: mid.sizes[dim]), across)
    return _curves(dataset, banded, across)


def _banded(dataset: xr.Dataset, name: str) -> _Banded:
    values = _plain(dataset[name])
    over = [dim for dim in values.dims if dim in DRAWS]
    if over:
        # Between a number and infinity there is none, and no weight of infinity is 0.
        bounded = values.clip(-LARGEST, LARGEST)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of places without a number
            low, mid, high = (bounded.quantile(q, over) for q in (0.1, 0.5, 0.9))
        low, mid, high = (one.where(np.abs(one) < BEYOND) for one in (low, mid, high))
        many = int(np.prod([values.sizes[dim] for dim in over]))
        return _Banded(mid, low, high, f"median, 10-90 % of {many}")
    ends = [f"{name}_low", f"{name}_high"] if f"{name}_low" in dataset else ["low", "high"]
    plain = name in ("mean", "probability") or ends[0] != "low"
    if plain and all(end in dataset for end in ends):
        low, high = (_plain(dataset[end]) for end in ends)
        return _Banded(values, low, high, "with 95 % interval")
    if f"{name}_error" in dataset and dataset[f"{name}_error"].dims == dataset[name].dims:
        off = 2 * _plain(dataset[f"{name}_error"])
        return _Banded(values, values - off, values + off, "with 2 standard errors")
    return _Banded(values, None, None, "")


def _plain(values: xr.DataArray) -> xr.DataArray:
    """As floats, without axes of length 1, and the first of what is a part."""
    parts = {dim: 0 for dim in values.dims if dim in PARTS}
    found = values.isel(parts, drop=True).squeeze(drop=True).astype(float)
    return found.where(~(np.isfinite(found) & (np.abs(found) > LARGEST)))


def _is_numeric(values: xr.DataArray, dim: Hashable) -> bool:
    if dim in values.coords:
        return values[dim].dtype.kind in "iuf"
    return values.sizes[dim] > MOST_LINES or dim in ALONG


def _curves(dataset: xr.Dataset, banded: _Banded, across: Hashable) -> Curves:
    rest = [dim for dim in banded.mid.dims if dim != across]
    labels = _labels(dataset, banded.mid, rest)
    shown = [labels[k] for k in _some(len(labels))]
    clock = None if across in dataset.coords else _clock_of(dataset, across)
    twin, lines, exact = _twin(dataset, banded.mid), [], []
    for at, label in shown:
        x = _abscissae(banded.mid, across) if clock is None else _at(_plain(clock), at)
        parts = [None if one is None else _at(one, at) for one in banded[:3]]
        lines.append((x, *parts, label))
        if twin is not None:
            exact.append((x, _at(twin, at)))
    words = [_dimension(dataset, dim) if len(rest) == 1 else str(dim) for dim in rest]
    some = f"{len(shown)} of {len(labels)}" if len(shown) < len(labels) else ""
    dashed = "exact: dashed grey" if exact else ""
    legend = "; ".join(filter(None, (", ".join(words), some, banded.note, dashed)))
    whole = np.concatenate([line[1] for line in lines])
    return Curves(
        lines, exact, _dimension(dataset, across), legend, scale(lines[0][0]), log_values(whole)
    )


def _of_outcomes(dataset: xr.Dataset, values: xr.DataArray) -> Curves:
    """What runs came to, a curve for each of the other labels."""
    rest = [dim for dim in values.dims if dim != RUNS and values.sizes[dim] > 1]
    flat = values.isel({dim: 0 for dim in values.dims if dim not in (*rest, RUNS)}).astype(float)
    labels, whether, lines = _labels(dataset, flat, rest), ended(dataset), []
    for at, label in (labels[k] for k in _some(len(labels))):
        one = _at(flat, at)
        if are_ends(values):
            over = np.ones_like(one) if whether is None else _at(whether.astype(float), at)
            steps = still_going(one, over.squeeze())
        else:
            steps = at_most(one)
        lines.append((steps.x, steps.share, None, None, label))
    goes = "that go on" if are_ends(values) else "with at most"
    up = f"share of {values.sizes[RUNS]} runs {goes}"
    words = ", ".join(_dimension(dataset, dim) if len(rest) == 1 else str(dim) for dim in rest)
    return Curves(lines, [], str(values.name), words, "linear", "linear", up)


def _twin(dataset: xr.Dataset, values: xr.DataArray) -> xr.DataArray | None:
    """What is exact of a variable, where the dataset has that in the same shape."""
    name = f"{values.name}_exact"
    twin = _plain(dataset[name]) if name in dataset else None
    return twin if twin is not None and twin.sizes == values.sizes else None


def _some(count: int) -> list[int]:
    """At most seven of so many, evenly spaced, with the first and the last."""
    return sorted({*np.linspace(0, count - 1, min(count, MOST_LINES)).round().astype(int).tolist()})


def _clock_of(dataset: xr.Dataset, dim: Hashable) -> xr.DataArray | None:
    """The times along a dimension that has no coordinate of its own; times that fall are no clock."""
    clocks = [dataset[c] for c in CLOCKS if c in dataset and dim in dataset[c].dims]
    return next((clock for clock in clocks if not (clock.diff(dim) < 0).any()), None)


def _dimension(dataset: xr.Dataset, dim: Hashable) -> str:
    """A dimension in words: its coordinate, or the times along it, or its name."""
    if dim in dataset.coords:
        return named(dataset[dim], str(dim))
    clock = _clock_of(dataset, dim)
    return str(dim) if clock is None else named(clock, str(dim))


def _labels(dataset: xr.Dataset, values: xr.DataArray, dims: list) -> list[tuple[dict, str]]:
    """The combinations of the labels of some dimensions: where each is, and its name."""
    known = {}
    for dim in dims:
        clock = _clock_of(dataset, dim)
        if dim in values.coords:
            known[dim] = values[dim].values
        elif clock is not None and clock.squeeze().ndim == 1:
            known[dim] = clock.squeeze().values
        else:
            known[dim] = np.arange(values.sizes[dim])
    places = np.ndindex(*(values.sizes[dim] for dim in dims))
    each = [dict(zip(dims, at, strict=True)) for at in places]
    return [(at, ", ".join(_text(known[dim][k]) for dim, k in at.items())) for at in each]


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _at(values: xr.DataArray, at: dict) -> Numbers:
    return values.isel({dim: k for dim, k in at.items() if dim in values.dims}).values


def _abscissae(values: xr.DataArray, dim: Hashable) -> Numbers:
    known = dim in values.coords
    return values[dim].values.astype(float) if known else np.arange(float(values.sizes[dim]))


def _places(dataset: xr.Dataset, values: xr.DataArray, dim: Hashable) -> Numbers:
    clock = _clock_of(dataset, dim)
    if dim in values.coords or clock is None or clock.squeeze().ndim != 1:
        return _abscissae(values, dim)
    return _plain(clock).values


def _sheet(dataset: xr.Dataset, values: xr.DataArray, up: Hashable, across: Hashable) -> Sheet:
    flat, note = _one(values, [dim for dim in values.dims if dim not in (up, across)])
    flat = flat.transpose(up, across)
    x, y = (_places(dataset, flat, dim) for dim in (across, up))
    below, beside = (_dimension(dataset, dim) for dim in (across, up))
    equal = (up, across) in PLANES
    (x, columns), (y, rows) = _increasing(x), _increasing(y)
    shown = flat.values[np.ix_(rows, columns)]
    return Sheet(x, y, shown, below, beside, scale(x), scale(y), equal, note)


def _increasing(places: Numbers) -> tuple[Numbers, NDArray[np.integer]]:
    """Places in their order, and which they were; numbered where two are the same. Infinite ones are none."""
    order = np.argsort(places, kind="stable")
    order = order[np.isfinite(places[order])]
    found = places[order]
    return (found if (np.diff(found) > 0).all() else np.arange(float(len(order)))), order


def _one(values: xr.DataArray, rest: Iterable[Hashable]) -> tuple[xr.DataArray, str]:
    """The last of times, the middle of other numbers, the first of names; and which that is."""
    rest = list(rest)
    names = {dim for dim in rest if dim in values.coords and values[dim].dtype.kind in "UO"}
    middle = {dim: 0 if dim in names else values.sizes[dim] // 2 for dim in rest}
    at = values.isel({dim: -1 if dim in ALONG else k for dim, k in middle.items()})
    known = [f"{dim} = {_text(at[dim].values[()])}" for dim in rest if dim in at.coords]
    return at, ", ".join(known)


def _spread(dataset: xr.Dataset, banded: _Banded) -> Spread | None:
    labels = _labels(dataset, banded.mid, list(banded.mid.dims))
    if len(labels) > 24:
        return None
    mid, low, high = (
        np.array([float(_at(one, at)) for at, _ in labels] if one is not None else [])
        for one in banded[:3]
    )
    mid, low, high = (np.where(np.isfinite(one), one, np.nan) for one in (mid, low, high))
    ends = (low, high) if low.size else (None, None)
    return Spread([text for _, text in labels], mid, *ends, log_values(mid))


def _cloud(values: xr.DataArray) -> Cloud | None:
    """The tokens at the last time, of the first of all else; None where they are on no sphere."""
    if "token" not in values.dims or values.sizes["axis"] not in (2, 3):
        return None
    at, note = _one(values, [dim for dim in values.dims if dim not in ("token", "axis")])
    points = at.transpose("token", "axis").values.astype(float)
    on_sphere = np.allclose(np.linalg.norm(points, axis=1), 1, atol=1e-4)
    return Cloud(points, note) if on_sphere else None
