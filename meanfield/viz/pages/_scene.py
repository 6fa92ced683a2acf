"""What a page shows, checked and cut to what can be drawn."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..._checks import shown
from .._inputs import UNIT_TOLERANCE, masses_of, numbers_of, to_host
from ..clouds import among, events_of, together, tree
from ._pack import packed, packed_range

MOST = 5000
"""Tokens that are drawn at most."""
AXES = 6
"""Principal axes that are kept of more dimensions than three."""


class Cloud(NamedTuple):
    """Tokens over time: those that are drawn, of how many."""

    ts: np.ndarray
    x: np.ndarray
    w: np.ndarray
    chosen: np.ndarray
    n: int


def cloud_of(ts: ArrayLike, x: ArrayLike, w: ArrayLike | None) -> Cloud:
    """The checked times [T], tokens [T, m, d] and their shares of the mass [m], m at most `MOST`."""
    x = numbers_of(x, "x", "iuf")
    if x.ndim != 3 or 0 in x.shape:
        raise ValueError(
            f"expected tokens x of shape [T, n, d], got {list(x.shape)}; stack the states of a run, one a "
            "time."
        )
    times, n, d = x.shape
    at = to_host(ts, (times,), "ts", "pass one time a state")
    if (np.diff(at) <= 0).any():
        raise ValueError("expected increasing times ts, got others; sort them with their states.")
    if d < 2:
        raise ValueError("expected tokens in two or more dimensions, got one; pass x [T, n, d].")
    for state in x:  # one at a time: of a million tokens, all at once do not fit
        _check_unit(state.astype(float), d)
    masses = masses_of(w, n)
    chosen = np.arange(n)
    if n > MOST:
        chosen = np.sort(np.random.default_rng(0).choice(n, MOST, replace=False))
    own = masses[chosen]
    if own.sum() == 0:
        raise ValueError(
            "expected mass on tokens that are drawn, got none; leave out those without."
        )
    return Cloud(at, x[:, chosen].astype(float), own / own.sum(), chosen, n)


def _check_unit(state: np.ndarray, d: int) -> None:
    if not np.isfinite(state).all():
        raise ValueError(
            "expected finite numbers in x, got NaN or infinity; cut the run before them."
        )
    if np.abs(np.linalg.norm(state, axis=-1) - 1).max() > UNIT_TOLERANCE:
        raise ValueError(
            f"expected unit vectors in x, got points off the sphere; normalize them with "
            f"Sphere({d}).project, or of a Product take space.split(x)[0]."
        )


def scene(cloud: Cloud, near: float, merges: Any, models: Any, values: Mapping[str, Any]) -> dict:
    """All that a page shows, as plain numbers and packed arrays."""
    x, shares = _in_axes(cloud.x)
    curves, colours = _values(values, cloud)
    return {
        "ts": _plain(cloud.ts),
        "x": packed(x),
        "axes": shares,
        "names": packed(np.stack([together(state, near) for state in cloud.x]), 1.0),
        "w": None if np.ptp(cloud.w) == 0 else _plain(cloud.w),
        "n": cloud.n,
        "curves": curves,
        "colours": colours,
        "models": _models(models, cloud),
        "tree": None if merges is None else _tree(merges, cloud),
    }


def _in_axes(x: np.ndarray) -> tuple[np.ndarray, list[str] | None]:
    """Tokens of more than three dimensions in their principal axes about 0, with the share of the second
    moment that each holds, over all times."""
    d = x.shape[-1]
    if d <= 3:
        return x, None
    flat = x.reshape(-1, d)
    moments, axes = np.linalg.eigh(flat.T @ flat / len(flat))
    order = np.argsort(-moments)[:AXES]
    shares = moments[order] / moments.sum()
    names = [f"axis {k} ({100 * share:.1f} %)" for k, share in enumerate(shares, start=1)]
    return x @ axes[:, order], names


def _values(values: Mapping[str, Any], cloud: Cloud) -> tuple[dict, dict]:
    """Curves [T], and what tokens [T, n] are coloured by."""
    curves, colours = {}, {}
    for name, value in values.items():
        given = np.asarray(value)
        remedy = "pass one value a time, or one a time and token"
        if given.ndim == 2:
            shape = (len(cloud.ts), cloud.n)
            field = to_host(given, shape, f"values[{name!r}]", remedy)
            colours[name] = packed_range(field[:, cloud.chosen])
        else:
            # Gaps are shown as gaps.
            curve = to_host(given, (len(cloud.ts),), f"values[{name!r}]", remedy, finite=False)
            curves[name] = [float(f"{v:.6g}") if np.isfinite(v) else None for v in curve]
    return curves, colours


def _models(models: Any, cloud: Cloud) -> dict | None:
    """The names of models, and of which each token is."""
    if models is None:
        return None
    given = np.asarray(models)
    if given.shape != (cloud.n,) or given.dtype.kind not in "iuU":
        raise ValueError(
            f"expected a model's number or name for each of {cloud.n} tokens, got {shown(models)}; pass "
            "one integer or text a token."
        )
    names, which = np.unique(given, return_inverse=True)
    labels = [name if given.dtype.kind == "U" else f"model {name}" for name in names.tolist()]
    return {"names": labels, "of": which[cloud.chosen].tolist()}


def _tree(merges: Any, cloud: Cloud) -> dict:
    """The bars of the merge tree, those that made them, and how many tokens there were."""
    events = among(events_of(merges, cloud.n), cloud.chosen, cloud.n)
    made = tree(events, cloud.w, float(cloud.ts[0]), float(cloud.ts[-1]))
    columns = {name: _plain(getattr(made, name)) for name in ("start", "end", "low", "high")}
    return columns | {"name": made.name.tolist(), "children": made.children.tolist()}


def _plain(numbers: np.ndarray) -> list[float]:
    return [float(f"{number:.6g}") for number in numbers]
