"""Linear programs over few pairs: as good as over all of them, and with a proof of it at every pair."""

import numpy as np
import pytest

from meanfield.transport.exact import _few_pairs as few, least_plan

N, M = 96, 91
EPS = float(np.finfo(float).eps)


def _problem(kind: str):
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(N, 3)), draw.normal(size=(M, 3)) + 1
    a, b = (draw.dirichlet(np.full(n, 0.5)) for n in (N, M))
    if kind in ("equal masses", "few at a time"):
        a, b = np.full(N, 1 / N), np.full(M, 1 / M)
    if kind == "whole numbers":
        x, y = np.round(x), np.round(y)
    if kind == "on one point":
        x[: N // 2] = x[0]
    if kind == "clusters":
        x[: N // 2] *= 1e-2
        y = np.concatenate([1e-2 * y[: M // 2], 100 + 1e-3 * y[M // 2 :]])
    return ((x[:, None] - y) ** 2).sum(axis=-1), a, b


def _total(cost, found) -> float:
    """What a plan costs."""
    return found.mass @ cost[*found.at]


@pytest.fixture
def everything(monkeypatch):
    """The plan of the program over all pairs at once."""

    def solved(cost, a, b):
        with monkeypatch.context() as patch:
            patch.setattr(few, "_SMALL", cost.size)
            return least_plan(cost, a, b, EPS)

    return solved


@pytest.mark.parametrize(
    "kind", ["masses", "equal masses", "whole numbers", "on one point", "clusters"]
)
def test_few_pairs_cost_as_little_as_all(kind, everything):
    cost, a, b = _problem(kind)
    found = least_plan(cost, a, b, EPS)
    whole = everything(cost, a, b)
    least = _total(cost, whole)
    np.testing.assert_allclose(_total(cost, found), least, rtol=1e-12)  # sums of 200 products
    plan = np.zeros(cost.shape)
    np.add.at(plan, tuple(found.at), found.mass)
    # Masses are sums along a tree of N + M pairs.
    np.testing.assert_allclose(plan.sum(axis=1), a, atol=1e-14)
    np.testing.assert_allclose(plan.sum(axis=0), b, atol=1e-14)
    # Duality at all pairs, seen or not: to rounding of the largest cost, of which prices are sums.
    assert (cost - found.f[:, None] - found.g).min() >= -1e-14 * cost.max()
    np.testing.assert_allclose(a @ found.f + b @ found.g, least, atol=1e-13 * cost.max())


def test_any_prices_and_any_pairs_lead_there(monkeypatch, everything):
    """Wrong prices choose wrong pairs, and one pair of each point is too few: others join them."""
    cost, a, b = _problem("equal masses")
    least = everything(cost, a, b)
    rounds = []
    program = few._program
    monkeypatch.setattr(few, "_FIRST", 1)
    monkeypatch.setattr(few, "_MORE", 2)
    monkeypatch.setattr(
        few, "entropic_prices", lambda *given: np.random.default_rng(1).normal(size=M)
    )
    monkeypatch.setattr(
        few, "_program", lambda *given: rounds.append(given[3].sum()) or program(*given)
    )
    found = few.priced_program(cost / cost.max(), a, b)
    assert len(rounds) > 2 and max(rounds) < cost.size  # never all of them
    total = (found.plan * cost).sum()
    np.testing.assert_allclose(total, _total(cost, least), rtol=1e-12)
    left = cost / cost.max() - found.f[:, None] - found.g
    assert left.min() >= -few._SLACK


def test_rounds_that_do_not_end_take_all_pairs(monkeypatch, everything):
    cost, a, b = _problem("masses")
    least = everything(cost, a, b)
    monkeypatch.setattr(few, "_FIRST", 1)
    monkeypatch.setattr(few, "_ROUNDS", 1)
    monkeypatch.setattr(few, "entropic_prices", lambda *given: np.arange(float(M)))
    found = few.priced_program(cost / cost.max(), a, b)
    total = (found.plan * cost).sum()
    np.testing.assert_allclose(total, _total(cost, least), rtol=1e-9)


def test_prices_of_weighted_points_are_nearly_right():
    """They explain most of what the cheapest partners alone do not, and never too much: weak duality."""
    cost, a, b = _problem("masses")
    found = least_plan(cost, a, b, EPS)
    least = _total(cost, found)
    prices = few.entropic_prices(cost, N * a, N * b)
    dual = a @ (cost - prices).min(axis=1) + b @ prices
    without = a @ cost.min(axis=1)
    assert 0 <= least - dual <= 0.5 * (least - without)


@pytest.mark.parametrize("shape", [(1, 2600), (2600, 1), (2, 1300)])
def test_thin_problems(shape):
    draw = np.random.default_rng(0)
    cost = draw.random(shape)
    a, b = (draw.dirichlet(np.ones(n)) for n in shape)
    found = least_plan(cost, a, b, EPS)
    if 1 in shape:
        least = a @ cost @ b
    else:  # all that is cheaper to the first goes there until it is full: a knapsack
        order = np.argsort(cost[0] - cost[1])
        into = np.clip(a[0] - np.append(0, np.cumsum(b[order])[:-1]), 0, b[order])
        least = into @ cost[0][order] + (b[order] - into) @ cost[1][order]
    np.testing.assert_allclose(_total(cost, found), least, rtol=1e-12)
