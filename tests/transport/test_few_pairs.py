"""Least plans among few pairs: prices that are nearly right, pairs that have a plan, and the least of all."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from meanfield.transport.exact import (
    _few_pairs as few,
    _linear_program as programs,
    _nearly as nearly,
    _network_simplex as simplex,
    least_plan,
)
from meanfield.transport.exact._network_simplex import Basis, among, network_simplex

N, M = 230, 210
EPS = float(np.finfo(float).eps)


def _problem(kind: str, n: int = N, m: int = M):
    """Costs in [0, 1] and masses."""
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(n, 3)), draw.normal(size=(m, 3)) + 1
    a, b = (draw.dirichlet(np.full(k, 0.5)) for k in (n, m))
    if kind == "equal masses":
        a, b = np.full(n, 1 / n), np.full(m, 1 / m)
    if kind == "clusters":  # of other masses here and there: prices between them are far from 0
        x, y = (4 * draw.integers(0, 2, (k, 3)) + 0.1 * z for k, z in ((n, x), (m, y - 1)))
    if kind == "a line":
        x, y = x[:, :1], y[:, :1]
    cost = ((x[:, None] - y) ** 2).sum(axis=-1)
    return cost / cost.max(), a, b


def _sure(found: Any) -> Any:
    assert found is not None
    return found


def _least(cost, a, b) -> float:
    """What the least plan costs, by a search among all pairs."""
    return _cost(cost, network_simplex(cost, a, b))


def _cost(cost, found) -> float:
    return found.mass @ cost[*found.at]


def _value(cost, a, b, f, g) -> float:
    """What prices prove: the least cost, by weak duality, of prices made feasible."""
    return a @ np.minimum(f, (cost - g).min(axis=1)) + b @ g


@pytest.mark.parametrize("kind", ["masses", "equal masses", "clusters"])
def test_prices_are_nearly_right(kind, monkeypatch):
    """Those of groups explain most of what the cheapest partners alone do not, and Sinkhorn's most of the
    rest; what is left are costs at these prices, nowhere below 0."""
    cost, a, b = _problem(kind)
    least, left = _least(cost, a, b), []
    open_ = least - a @ cost.min(axis=1)
    for _ in range(2):
        start = _sure(nearly.nearly(cost, a, b))
        assert start.left.min() == 0
        np.testing.assert_allclose(start.left, cost - start.f[:, None] - start.g, atol=1e-14)
        left.append((least - _value(cost, a, b, start.f, start.g)) / open_)
        monkeypatch.setattr(nearly, "_entropic", lambda *_: None)
    # .03 to .19 by groups of four points; .008 to .03 with Sinkhorn's iteration.
    assert 0 <= left[0] <= 0.4 * left[1] <= 0.4 * 0.25


def test_prices_of_many_points_are_found_colder_and_colder():
    """Of so many that neighbours are nearer than what groups leave: one stage is not enough."""
    cost, a, b = _problem("equal masses", 1400, 1300)
    least = _least(cost, a, b)
    start = _sure(nearly.nearly(cost, a, b))
    short = 1 - _value(cost, a, b, start.f, start.g) / least
    assert 0 <= short <= 0.004  # .0032


@pytest.mark.parametrize("kind", ["masses", "equal masses", "clusters"])
def test_pairs_of_groups_have_a_plan_nearly_as_cheap_as_any(kind):
    cost, a, b = _problem(kind)
    start = _sure(nearly.nearly(cost, a, b))
    at = np.stack(np.nonzero(start.near))
    assert at.shape[1] < 0.1 * cost.size
    plan, _ = among(at, cost[*at], a, b, 10**6)
    assert 0 <= _cost(cost, plan) / _least(cost, a, b) - 1 <= 0.2  # .02 to .16


@pytest.mark.parametrize("kind", ["masses", "equal masses", "clusters", "a line"])
def test_the_plan_is_the_least_of_all(kind):
    cost, a, b = _problem(kind)
    found = _sure(few.few_pairs(cost, a, b))
    plan = np.zeros(cost.shape)
    np.add.at(plan, tuple(found.at), found.mass)
    np.testing.assert_allclose(plan.sum(axis=1), a, atol=1e-14)
    np.testing.assert_allclose(plan.sum(axis=0), b, atol=1e-14)
    assert found.off <= 1e-14 * (N + M) and (found.mass > 0).all()
    # Prices round as sums along a tree of all points do, and are those of every pair.
    assert (cost - found.f[:, None] - found.g).min() >= -1e-12
    np.testing.assert_allclose(_cost(cost, found), a @ found.f + b @ found.g, atol=1e-12)


def test_the_smallest_masses_are_sent_too(monkeypatch):
    """By n + m - 1 pairs, where no part of a has the mass of a part of b, however small some of them are."""
    cost, *_ = _problem("masses")
    draw = np.random.default_rng(0)
    a, b = (np.exp(6 * draw.normal(size=k)) for k in (N, M))
    a, b = a / a.sum(), b / b.sum()
    assert min(a.min(), b.min()) < 1e-16
    monkeypatch.setattr(programs, "network_simplex", None)
    rough = _sure(programs._solved(cost, a, b))
    np.testing.assert_allclose(np.bincount(rough.at[0], rough.mass), a, rtol=1e-9, atol=1e-15)
    assert rough.off < 1e-12
    found = _sure(least_plan(cost, a, b, EPS))
    assert found.at.shape[1] == N + M - 1 and found.gap <= 1e-12
    np.testing.assert_allclose(np.bincount(found.at[0], found.mass), a, rtol=1e-9, atol=1e-15)


def test_pairs_that_were_forgotten_join(monkeypatch):
    """However bad the start: only its own plan."""
    cost, a, b = _problem("masses")
    worst = _sure(network_simplex(1 - cost, a, b))
    near = np.zeros(cost.shape, bool)
    near[*worst.at] = True
    start = nearly.Nearly(np.zeros(N), np.zeros(M), cost, near)
    monkeypatch.setattr(few, "nearly", lambda *_: start)
    monkeypatch.setattr(few, "_CHEAPEST", (1, 1))
    monkeypatch.setattr(few, "_ROUNDS", 30)
    assert _cost(cost, few.few_pairs(cost, a, b)) == pytest.approx(_least(cost, a, b), rel=1e-12)
    monkeypatch.setattr(few, "_ROUNDS", 1)
    assert few.few_pairs(cost, a, b) is None


def test_where_all_pairs_cost_the_same_there_are_too_many():
    assert few.few_pairs(np.ones((N, M)), np.full(N, 1 / N), np.full(M, 1 / M)) is None


def test_pairs_that_have_no_plan_and_searches_without_an_end():
    at, half = np.array([[0, 1], [0, 0]]), np.full(2, 0.5)
    assert among(at, np.ones(2), half, half, 100) == (None, 0.0)
    cost, a, b = _problem("masses")
    at = np.stack(np.indices(cost.shape)).reshape(2, -1)
    assert among(at, cost[*at], a, b, 10) == (None, 0.0)


@pytest.mark.parametrize("kind", ["masses", "clusters"])
def test_the_proof_is_to_rounding_of_the_cost(kind):
    cost, a, b = _problem(kind)
    found = _sure(least_plan(7 * cost, a, b, EPS))
    np.testing.assert_allclose(_cost(cost, found), _least(cost, a, b), rtol=1e-12)
    assert 0 <= found.gap <= 1e-12 and found.steps == 1
    assert (7 * cost - found.f[:, None] - found.g).min() >= -1e-14


def test_a_search_that_fails_is_followed_by_one_among_all(monkeypatch):
    cost, a, b = _problem("masses")
    monkeypatch.setattr(programs, "few_pairs", lambda *_: None)
    assert _sure(least_plan(cost, a, b, EPS)).gap <= 1e-12
    monkeypatch.setattr(programs, "_MANY", 10**9)
    monkeypatch.setattr(programs, "few_pairs", None)
    assert _sure(least_plan(cost, a, b, EPS)).gap <= 1e-12


def test_masses_that_are_amiss_are_told_among_few_pairs_too(monkeypatch):
    def emd(a, b, cost, *_, **__):
        plan = sp.coo_matrix(([0.5, 0.4], ([0, 1], [0, 1])), shape=(2, 2))
        return plan, {"warning": None, "u": np.array([1.0, 2.0]), "v": np.array([3.0, 4.0])}

    monkeypatch.setattr(simplex, "_pot", lambda: SimpleNamespace(emd=emd))
    half, at = np.full(2, 0.5), np.array([[0, 1], [0, 1]])
    found, rounding = among(at, np.array([2.0, 5.0]), half, half, 10)
    # Row and column 1 lack a tenth each; potentials are in the unit of the costs.
    assert isinstance(found, Basis) and found.off == pytest.approx(0.2)
    np.testing.assert_allclose([*found.f, *found.g], [5, 10, 15, 20])
    assert 0 < rounding <= 1e-13
