"""Intervals of means over texts."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float

LEVELS = (2.5, 97.5)
"""Percent below the ends of an interval: 95 % lie within."""
RESAMPLES = 1000
"""Draws of texts with replacement: the ends of an interval are known to a tenth of its length."""


def draws(count: int, seed: int, resamples: int = RESAMPLES) -> Float[np.ndarray, "draws text"]:
    """Weights of texts in each resample: how often a text is drawn, of sum 1."""
    picked = np.random.default_rng(seed).integers(count, size=(resamples, count))
    hits = [np.bincount(row, minlength=count) for row in picked]
    return np.stack(hits) / count


def interval(values: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean of `values` [text, ...] and the ends of its 95 % bootstrap interval over texts.

    The ends are NaN for a single text. Source: Efron (1979), doi:10.1214/aos/1176344552; percentiles.
    """
    mean = np.asarray(values.mean(axis=0))
    if len(values) < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    means = np.tensordot(draws(len(values), seed), values, axes=1)
    low, high = np.percentile(means, LEVELS, axis=0)
    return mean, np.asarray(low), np.asarray(high)


def with_intervals(
    values: Mapping[str, tuple[str | tuple[str, ...], np.ndarray]],
    words: Mapping[str, str],
    seed: int,
) -> dict[str, xr.Variable]:
    """Variables of quantities [text, ...], given with what runs along their other axes: the mean of each,
    the ends of its interval as `_low` and `_high`, and the values themselves as `_each`."""
    variables = {}
    for name, (dims, each) in values.items():
        dims = (dims,) if isinstance(dims, str) else dims
        told = {"long_name": words[name]}
        parts = zip(("", "_low", "_high"), interval(each.astype(float), seed), strict=True)
        variables |= {name + end: xr.Variable(dims, part, told) for end, part in parts}
        variables[f"{name}_each"] = xr.Variable(("text", *dims), each.astype(float), told)
    return variables
