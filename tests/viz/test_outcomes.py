"""What each of several runs came to: which numbers are ends, and the share of runs that go on."""

import numpy as np
import xarray as xr

from meanfield.viz.overviews._outcomes import are_ends, at_most, ended, still_going


def runs(*times, **others):
    return xr.Dataset(
        {"time": ("run", [*times])} | {n: ("run", each) for n, each in others.items()}
    )


def test_times_that_fall_are_ends():
    assert are_ends(runs(3.0, 1.0, 2.0).time)
    assert not are_ends(runs(1.0, 2.0, 3.0).time)  # a clock


def test_the_truth_values_of_runs_say_which_ended():
    dataset = runs(3.0, 1.0, count=[1, 2], gone=[True, False])
    assert ended(dataset).name == "gone"
    assert ended(runs(3.0, 1.0, count=[1, 2])) is None


def test_shares_are_those_of_kaplan_and_meier():
    """Of four runs one ends at 1, one is ended at 2, and one of the two left ends at 3."""
    found = still_going(np.array([2.0, 1.0, 4.0, 3.0]), np.array([0.0, 1.0, 0.0, 1.0]))
    at = dict(zip(found.x, found.share, strict=True))
    assert at == {0.0: 1.0, 1.0: 0.75, 2.0: 0.75, 3.0: 0.375, 4.0: 0.375}
    # At one time those that were ended come last, in whatever order they stand: a half is left, not nothing.
    for gone in ([0.0, 1.0], [1.0, 0.0]):
        assert still_going(np.array([1.0, 1.0]), np.array(gone)).share[-1] == 0.5
    most = at_most(np.array([2.0, np.nan, 1.0, 5.0]))
    assert (most.x[0], most.share[0]) == (1.0, 0.0)
    assert dict(zip(most.x, most.share, strict=True)) == {1.0: 0.25, 2.0: 0.5, 5.0: 0.75}
