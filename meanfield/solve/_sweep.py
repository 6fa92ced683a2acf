"""A function over a grid of parameters and seeds, labelled, with the power at which it falls."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
import scipy
import xarray as xr

from .._checks import check_callable, check_integer, shown
from ._errors import RUN_FAILED, SolveError


def sweep(
    function: Callable[..., Any],
    grid: Mapping[str, Iterable[Any]],
    seeds: int | np.integer | Iterable[int] = 1,
    fit: str | None = None,
) -> xr.Dataset:
    """What `function(key, **point)` yields at each point of a grid and each seed, as a labelled dataset.

        found = mf.sweep(error, {"n": [32, 64, 128], "beta": [1.0, 4.0]}, seeds=16, fit="n")
        found.value            # [n, beta, seed]
        found.rate             # [beta], with rate_low, rate_high, and the number of `usable` seeds

    - `function`: of a random key and the parameters by name; returns a number, or a dict of numbers by
      name. A run that fails (`SolveError`, or its error within a program) is NaN, and so is what it makes
      of it. Equal shapes are compiled once, if it is jitted.
    - `grid`: values by name, numbers or text; `seeds`: their number, or the seeds themselves. All
      points see the same keys, `jax.random.key(seed)`.
    - `fit`: a name of the grid, of positive numbers. Then each value has a `rate` p of |value| ~ c x^p along
      it: the mean over seeds of the least-squares slope of log |value| over log x, between `rate_low` and
      `rate_high`, the 95 % interval of Student's t (NaN for fewer than two seeds); `usable` counts the
      seeds whose values are finite and not 0 throughout: only they are fitted. With several
      values by name these begin with the name, `error_rate`.

    Raises ValueError for a grid without values, a function of other names, seeds that repeat, and outputs
    that are no numbers.
    """
    check_callable(function, "function", "pass lambda key, n: ...")
    axes, chosen = _axes(grid, fit), _seeds(seeds)
    _check_takes(function, [*axes])
    sizes = [len(values) for values in axes.values()]
    found: dict[str, np.ndarray] = {}
    for place in np.ndindex(*sizes, len(chosen)):
        *at, which = place
        point = {name: axes[name][k] for name, k in zip(axes, at, strict=True)}
        for name, value in _numbers(function, jax.random.key(chosen[which]), point).items():
            found.setdefault(name, np.full((*sizes, len(chosen)), np.nan))[place] = value
    dims = [*axes, "seed"]
    if not found:  # all failed
        found = {"value": np.full((*sizes, len(chosen)), np.nan)}
    coords = {name: np.asarray(values) for name, values in axes.items()} | {"seed": chosen}
    whole = xr.Dataset({name: (dims, values) for name, values in found.items()}, coords)
    return whole if fit is None else whole.assign(_fits(whole, fit))


def _axes(grid: Mapping[str, Iterable[Any]], fit: str | None) -> dict[str, list[Any]]:
    axes = {str(name): [*values] for name, values in dict(grid).items()}
    if not axes or not all(axes.values()) or "seed" in axes:
        raise ValueError(
            f"expected values for each name of a grid, none of them seed, got {shown(grid)}; pass "
            "grid={'n': [32, 64]}."
        )
    if fit is not None:
        x = np.asarray(axes.get(fit, []))
        if (
            x.dtype.kind not in "iuf"
            or len(x) < 2
            or not (x > 0).all()
            or len({*x.tolist()}) < len(x)
        ):
            raise ValueError(
                f"expected fit to name two or more different positive numbers of the grid, got "
                f"{shown(fit)}; pass one of {sorted(axes)}."
            )
    return axes


def _check_takes(function: Callable[..., Any], names: list[str]) -> None:
    """ValueError for a function that cannot be called by a key and these names."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of some that are built in nothing is known
        return
    try:
        signature.bind(None, **dict.fromkeys(names))
    except TypeError as error:
        known = ", ".join(names)
        raise ValueError(
            f"expected a function of a key and of {known} by name, got one of {signature}; pass "
            f"lambda key, {known}: ...."
        ) from error


def _seeds(seeds: int | np.integer | Iterable[int]) -> list[int]:
    many = isinstance(seeds, int | np.integer)
    chosen = [*range(check_integer(seeds, "seeds", 1))] if many else [*seeds]
    if not chosen or len({*chosen}) < len(chosen):
        raise ValueError(f"expected different seeds, got {shown(seeds)}; pass seeds=16.")
    return [check_integer(seed, "a seed", 0) for seed in chosen]


def _numbers(
    function: Callable[..., Any], key: jax.Array, point: dict[str, Any]
) -> dict[str, float]:
    try:
        found = jax.block_until_ready(function(key, **point))
    except (RuntimeError, ValueError) as error:
        # That of a program is a report of jax which quotes the sentence.
        if isinstance(error, SolveError) or RUN_FAILED in str(error):
            return {}
        raise
    found = found if isinstance(found, dict) else {"value": found}
    try:
        return {str(name): float(value) for name, value in found.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"expected a number, or numbers by name, from the function at {point}, got "
            f"{shown(found)}; return one, such as x.mean()."
        ) from error


def _fits(whole: xr.Dataset, fit: str) -> dict[str, xr.DataArray]:
    """The mean slope over usable seeds, its interval, and their number, of each value."""
    parts = {}
    x = np.log(whole[fit].values.astype(float))
    x = xr.DataArray(x - x.mean(), dims=fit)
    for name, values in whole.data_vars.items():
        prefix = "" if name == "value" else f"{name}_"
        size = abs(values)
        usable = ((size > 0) & (size < np.inf)).all(fit)
        slope = (x * np.log(size.where(usable))).sum(fit, skipna=False) / (x**2).sum()
        count = usable.sum("seed")
        # By sums: means over no seed, and spreads over one, are NaN without a warning.
        rate = slope.sum("seed") / count.where(count > 0)
        freedom = (count - 1).where(count > 1)
        spread = np.sqrt(((slope - rate) ** 2).sum("seed") / freedom)
        off = xr.apply_ufunc(scipy.special.stdtrit, freedom, 0.975) * spread / np.sqrt(count)
        parts |= {f"{prefix}rate": rate, f"{prefix}rate_low": rate - off}
        parts |= {f"{prefix}rate_high": rate + off, f"{prefix}usable": count}
    return parts
