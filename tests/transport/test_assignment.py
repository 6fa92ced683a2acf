"""Assignments of many points: exact, whatever prices they start from, and these nearly right."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from meanfield.transport.exact import _assignment as assignments
from meanfield.transport.exact._network_simplex import Basis

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


@pytest.mark.parametrize("found", ["nothing", "not the least", "no permutation"])
def test_what_few_pairs_cannot_prove_is_sought_among_all(found, monkeypatch):
    cost, everyone = _cost("spread"), np.arange(N)
    wrong = Basis(
        np.stack([everyone, everyone if found == "not the least" else everyone // 2]),
        *(np.ones(N), np.zeros(N), np.random.default_rng(1).normal(size=N), 0.0),
    )
    few = lambda *_: None if found == "nothing" else wrong
    monkeypatch.setattr(assignments, "few_pairs", few)
    columns, gap = assignments.least_assignment(cost)
    assert cost[everyone, columns].mean() == pytest.approx(
        cost[linear_sum_assignment(cost)].mean(), rel=1e-13
    )
    assert abs(gap) <= 1e-11


@pytest.mark.parametrize("n", [99, 100, 299, 300])
def test_on_both_sides_of_where_another_search_begins(n):
    cost = _cost("spread")[:n, :n]
    columns, gap = assignments.least_assignment(cost)
    least = cost[linear_sum_assignment(cost)].mean()
    assert cost[np.arange(n), columns].mean() == pytest.approx(least, rel=1e-13)
    assert 0 <= gap <= assignments.ENOUGH


def test_tokens_on_a_line_are_matched_by_sorting_and_proved_to_be():
    """The search among few pairs finds what a search among all takes several times longer for."""
    x, y = np.sort(np.random.default_rng(0).normal(size=(2, N)), axis=1)
    cost = (x[:, None] - y) ** 2
    assert (assignments._by_simplex(cost)[0] == np.arange(N)).all()
    columns, gap = assignments.least_assignment(cost)
    assert (columns == np.arange(N)).all() and 0 <= gap <= assignments.ENOUGH


@pytest.mark.parametrize("kind", ["spread", "on one point", "clusters"])
def test_prices_prove_the_least_cost(kind):
    """By duality: the cheapest partner of each row at the prices of columns is its own."""
    cost = _cost(kind)
    columns, _, prices = assignments.assignment_at(cost, np.zeros(N))
    dual = (cost - prices).min(axis=1).mean() + prices.mean()
    least = cost[np.arange(N), columns].mean()
    assert dual == pytest.approx(least, abs=1e-13 * cost.max())
    again = assignments.assignment_at(cost, prices)
    assert cost[np.arange(N), again[0]].mean() == pytest.approx(least, rel=1e-12)


def test_many_tokens_on_one_point_have_a_proof_too():
    """Exchanges that gain nothing form long paths there: prices come from a network simplex."""
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(2, 610, 2))
    x[:305], y[:203] = x[0], y[0]
    cost = ((x[:, None] - y) ** 2).sum(axis=-1)
    columns, gap = assignments.least_assignment(cost)
    assert cost[np.arange(610), columns].sum() == pytest.approx(
        cost[linear_sum_assignment(cost)].sum(), rel=1e-13
    )
    assert 0 <= gap <= 1e-11
