"""Assignments of many points: exact, whatever prices they start from, and these nearly right."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from meanfield.transport.exact import _assignment as assignments

N = 420


def _cost(kind: str) -> np.ndarray:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(2, N, 3))
    if kind == "clusters":  # far apart, and of very different sizes
        x[: N // 2] *= 1e-2
        y = np.concatenate([1e-2 * y[: N // 2], 100 + 1e-3 * y[N // 2 :]])
    if kind == "on one point":
        x[: N // 2] = x[0]
    if kind == "whole numbers":
        x, y = np.round(x), np.round(y)
    if kind == "outliers":  # whose costs are no numbers of single precision
        x[:, :] *= 1e-3
        y[:] = 1e-3 * y + 0.1
        x[:5] *= 1e28
        y[0] = 1e30
    return ((x[:, None] - y) ** 2).sum(axis=-1)


@pytest.mark.parametrize(
    "kind", ["spread", "clusters", "on one point", "whole numbers", "outliers"]
)
def test_the_least_of_all_permutations(kind):
    cost = _cost(kind)
    least = cost[linear_sum_assignment(cost)].mean()
    columns, gap = assignments.least_assignment(cost)
    assert sorted(columns) == [*range(N)]
    # Both take sums of N squares, which round.
    assert cost[np.arange(N), columns].mean() == pytest.approx(least, rel=1e-13)
    assert abs(gap) <= 1e-11


def test_any_prices_lead_to_it(monkeypatch):
    cost = _cost("spread")
    wrong = np.random.default_rng(1).normal(size=N)
    monkeypatch.setattr(assignments, "entropic_prices", lambda left: wrong)
    columns, gap = assignments.least_assignment(cost)
    assert cost[np.arange(N), columns].mean() == pytest.approx(
        cost[linear_sum_assignment(cost)].mean(), rel=1e-13
    )
    assert abs(gap) <= 1e-11


@pytest.mark.parametrize("kind", ["spread", "on one point"])
def test_entropic_prices_are_nearly_right(kind):
    """They explain most of what the cheapest partners alone do not, and never too much: weak duality."""
    cost = _cost(kind)
    least = cost[linear_sum_assignment(cost)].mean()
    prices = assignments.entropic_prices(cost)
    dual = (cost - prices).min(axis=1).mean() + prices.mean()
    without = cost.min(axis=1).mean()
    assert 0 <= least - dual <= 0.2 * (least - without)


def test_points_that_coincide_have_no_prices():
    assert not assignments.entropic_prices(np.zeros((N, N))).any()
