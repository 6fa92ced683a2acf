"""What each of several runs came to, as the share of runs: how far along, and how many are left."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from ._quantity import Numbers

RUNS = "run"
"""The dimension of runs that are alike, and have no number that would mean anything."""
CLOCKS = ("time", "t")


class Steps(NamedTuple):
    """A share [2 k + 1] over values, as a curve of steps."""

    x: Numbers
    share: Numbers


def of_runs(values: xr.DataArray) -> bool:
    """Whether there is a number of each run, of more than one, and runs have no coordinate."""
    many = RUNS in values.dims and RUNS not in values.coords and values.sizes[RUNS] > 1
    return many and bool(np.isfinite(values.values).any(values.dims.index(RUNS)).all())


def are_ends(values: xr.DataArray) -> bool:
    """Whether these are the times at which runs ended: times that fall from run to run are no clock."""
    return values.name in CLOCKS and of_runs(values) and bool((values.diff(RUNS) < 0).any())


def ended(dataset: xr.Dataset) -> xr.DataArray | None:
    """Which runs ended by themselves and were not ended, where the dataset says that of times."""
    times = next((dataset[name] for name in CLOCKS if name in dataset), None)
    if times is None or not are_ends(times):
        return None
    known = (one for one in dataset.data_vars.values() if one.dtype == bool)
    return next((one for one in known if one.dims == times.dims), None)


def still_going(times: Numbers, ended: Numbers) -> Steps:
    """The share of runs that go on, where those that were ended count until then and, at a time at which
    others ended by themselves, after these.

    Source: Kaplan and Meier (1958), doi:10.1080/01621459.1958.10501452.
    """
    known = np.flatnonzero(np.isfinite(times))
    order = known[np.lexsort((ended[known] == 0, times[known]))]
    left = len(order) - np.arange(len(order))
    return _steps(times[order], np.cumprod(1 - ended[order] / left), 0.0, 1.0)


def at_most(values: Numbers) -> Steps:
    """The share of runs with at most so much."""
    known = np.sort(values[np.isfinite(values)])
    return _steps(known, (1.0 + np.arange(len(known))) / len(values), known[0], 0.0)


def _steps(at: Numbers, shares: Numbers, begin: float, first: float) -> Steps:
    x = np.concatenate([[begin], np.repeat(at, 2)])
    before = np.concatenate([[first], shares[:-1]])
    return Steps(x, np.concatenate([[first], np.stack([before, shares], axis=1).ravel()]))
