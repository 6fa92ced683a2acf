"""Linear programs by the network simplex: the least cost, exact masses, and a proof at every pair."""

import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from highs import highs_cost

from meanfield.transport.exact import (
    _linear_program as programs,
    _network_simplex as simplex,
    least_plan,
)
from meanfield.transport.exact._network_simplex import Basis, network_simplex, refined

N, M = 96, 91
EPS = float(np.finfo(float).eps)


def _problem(kind: str):
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(N, 3)), draw.normal(size=(M, 3)) + 1
    a, b = (draw.dirichlet(np.full(n, 0.5)) for n in (N, M))
    if kind == "equal masses":
        a, b = np.full(N, 1 / N), np.full(M, 1 / M)
    if kind == "parts of equal mass":  # every second point: a forest of many trees
        y, b, a = y[: N // 2], np.full(N // 2, 2 / N), np.full(N, 1 / N)
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


@pytest.mark.parametrize(
    "kind",
    ["masses", "equal masses", "parts of equal mass", "whole numbers", "on one point", "clusters"],
)
def test_the_plan_is_the_least_one(kind):
    cost, a, b = _problem(kind)
    found = least_plan(cost, a, b, EPS)
    least = highs_cost(a, b, cost)
    np.testing.assert_allclose(_total(cost, found), least, rtol=1e-12)  # sums of 200 products
    assert 0 <= found.gap <= 1e-12
    plan = np.zeros(cost.shape)
    np.add.at(plan, tuple(found.at), found.mass)
    # Masses are sums along a tree of N + M pairs.
    np.testing.assert_allclose(plan.sum(axis=1), a, atol=1e-14)
    np.testing.assert_allclose(plan.sum(axis=0), b, atol=1e-14)
    # Duality at all pairs: to rounding of the largest cost, of which prices are sums.
    assert (cost - found.f[:, None] - found.g).min() >= -1e-14 * cost.max()
    np.testing.assert_allclose(a @ found.f + b @ found.g, least, atol=1e-13 * cost.max())


@pytest.mark.parametrize("kind", ["masses", "parts of equal mass"])
def test_masses_and_prices_follow_from_the_pairs_in_use(kind):
    """Wrong to a thousandth, they come out right to rounding: only which pairs are in use matters."""
    cost, a, b = _problem(kind)
    basis = network_simplex(cost / cost.max(), a, b)
    basis = basis._replace(f=cost.max() * basis.f, g=cost.max() * basis.g)
    draw = np.random.default_rng(0)
    f, g = (z + 1e-3 * draw.uniform(size=len(z)) for z in (basis.f, basis.g))
    wrong = basis._replace(mass=basis.mass * 1.001, f=f, g=g)
    right = refined(wrong, cost, a, b, EPS)
    order = np.lexsort(right.at[::-1])
    np.testing.assert_array_equal(right.at[:, order], basis.at)
    np.testing.assert_allclose(right.mass[order], basis.mass, atol=1e-15)
    np.testing.assert_allclose(right.f[right.at[0]] + right.g[right.at[1]], cost[*right.at])
    # A root keeps what it had: prices are found up to what each tree may add, which is settled.
    assert (cost - right.f[:, None] - right.g).min() >= -1e-14 * cost.max()
    np.testing.assert_allclose(a @ right.f + b @ right.g, _total(cost, basis), rtol=1e-12)
    assert right.off <= EPS


def test_pairs_that_are_no_forest_are_left_as_they_were_found():
    """A square of pairs: their masses do not follow from those of the points."""
    at = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    found = Basis(at, np.array([0.2, 0.3, 0.3, 0.2]), np.zeros(2), np.zeros(2), 0.25)
    half = np.full(2, 0.5)
    kept = refined(found, np.ones((2, 2)), half, half, EPS)
    np.testing.assert_array_equal(kept.at, at[:, [1, 2, 0]])
    np.testing.assert_array_equal(kept.mass, found.mass[[1, 2, 0]])
    np.testing.assert_array_equal(kept.f[:, None] + kept.g, 1)
    # No more than a vertex has, and what was left out is amiss at both of its ends.
    assert kept.at.shape == (2, 3) and kept.off == pytest.approx(0.25 + 2 * 0.2)


@pytest.mark.parametrize("enough", [0.0, 0.5])
def test_prices_between_trees_are_shortest_paths(enough):
    """Four pairs of equal masses, each cheaper to leave for the next: prices fall along the chain, in as many
    rounds, or until no pair is cheaper than they say by more than what is enough."""
    cost = np.full((4, 4), 20.0)
    cost[np.arange(4), np.arange(4)] = 5.0
    cost[np.arange(3), np.arange(1, 4)] = 2.0
    quarter, zero = np.full(4, 0.25), np.zeros(4)
    basis = Basis(np.stack([np.arange(4)] * 2), quarter, np.full(4, 5.0), zero, 0.0)
    found = refined(basis, cost, quarter, quarter, EPS, enough)
    np.testing.assert_allclose(found.f + found.g, 5)
    worst = (cost - found.f[:, None] - found.g).min()
    assert -enough <= worst <= 0
    np.testing.assert_allclose(np.diff(found.f), 3)
    early = refined(basis, cost, quarter, quarter, EPS, 3.0)
    assert -3 <= (cost - early.f[:, None] - early.g).min() < -enough


def test_prices_between_trees_are_settled_until_they_are_a_proof(monkeypatch):
    """Of the same four pairs, found with prices that say nothing."""
    cost = np.full((4, 4), 20.0)
    cost[np.arange(4), np.arange(4)] = 5.0
    cost[np.arange(3), np.arange(1, 4)] = 2.0
    quarter, zero = np.full(4, 0.25), np.zeros(4)
    basis = Basis(np.stack([np.arange(4)] * 2), quarter, zero, zero, 0.0)
    monkeypatch.setattr(programs, "network_simplex", lambda *problem: basis)
    found = least_plan(cost, quarter, quarter, EPS)
    assert found.gap <= 1e-12 and found.steps == 1


@pytest.mark.parametrize("lost", [0.001, 1e-22])
def test_mass_that_the_search_has_lost_is_sent_or_counts(lost, monkeypatch):
    """A point that sends nothing: as its mass is left where others take it all, they send less."""
    cost = np.array([[1.0, 2.0], [2.0, 1.0], [7.0, 9.0]])
    a, b = np.array([0.5, 0.5 - lost, lost]), np.full(2, 0.5)
    basis = Basis(np.array([[0, 1], [0, 1]]), np.full(2, 0.5), np.zeros(3), np.zeros(2), 0.0)
    monkeypatch.setattr(programs, "network_simplex", lambda *problem: basis)
    found = least_plan(cost, a, b, EPS)
    # The third sends to the first column, from which the first sends as much to the second: 7 - 1 + 2
    # for 1, rather than 9.
    assert found.gap <= 1e-12
    np.testing.assert_allclose(_total(cost, found), 1 - lost + 8 * lost, rtol=1e-15)
    np.testing.assert_allclose(np.bincount(found.at[0], found.mass)[2], lost, rtol=1e-15)
    monkeypatch.setattr(simplex, "network_simplex", lambda *problem: None)
    # At most it could have to go the farthest way, whatever the prices say.
    assert least_plan(cost, a, b, EPS).gap >= 8.9 * lost / (1 - lost + 8 * lost)


def test_trees_send_by_way_of_others():
    """Three places a step apart: what the first has left goes to the last in two steps, of cost 1 each, not
    in one of cost 4; the second keeps its balance."""
    cost = np.square(np.subtract.outer(np.arange(3.0), np.arange(3.0)))
    a, b = np.array([0.3 + 1e-9, 0.3, 0.4]), np.array([0.3, 0.3, 0.4 + 1e-9])
    basis = Basis(np.stack([np.arange(3)] * 2), b, np.zeros(3), np.zeros(3), 0.0)
    found = refined(basis, cost, a, b, EPS)
    sent = np.zeros((3, 3))
    sent[*found.at] = found.mass
    np.testing.assert_allclose(sent[[0, 1, 0], [1, 2, 2]], [1e-9, 1e-9, 0], rtol=1e-6)
    np.testing.assert_allclose(np.diag(sent), [0.3, 0.3 - 1e-9, 0.4], rtol=1e-12)
    assert found.off == 0 and (cost - found.f[:, None] - found.g).min() >= -1e-15


def test_a_pair_that_would_send_less_than_none_is_left_out():
    """The pair of the first row and second column is in use by rounding alone, the wrong way round."""
    cost = 1 - np.eye(2)
    a, b = np.array([0.5 - 1e-9, 0.5 + 1e-9]), np.full(2, 0.5)
    at = np.array([[0, 0, 1], [0, 1, 1]])
    found = refined(
        Basis(at, np.array([0.5, 1e-17, 0.5]), np.zeros(2), np.zeros(2), 0.0), cost, a, b, EPS
    )
    sent = np.zeros((2, 2))
    sent[*found.at] = found.mass
    np.testing.assert_allclose(sent, [[0.5 - 1e-9, 0], [1e-9, 0.5]], rtol=1e-6)
    assert found.off == 0


def test_a_point_of_little_mass_that_is_far_costs_what_it_costs():
    """All go to one place, so that there is one plan, however small its parts."""
    a = np.array([1e-19, 0.2, 0.3, 0.5])
    cost = np.array([[1e19], [1.0], [2.0], [3.0]])
    found = least_plan(cost, a, np.ones(1), EPS)
    np.testing.assert_allclose(_total(cost, found), 3.3, rtol=1e-14)
    # Each of its own mass: what rounds is amiss at the heaviest.
    np.testing.assert_allclose(found.mass[np.argsort(found.at[0])], a, rtol=1e-15)
    assert found.gap <= 1e-12


def test_no_cost_where_masses_round():
    """Five points on two places, four on these: sums of places differ by 1e-17, which are sent and proved."""
    at, to = np.array([1, 0, 0, 0, 0]), np.array([1, 0, 1, 0])
    cost = (at[:, None] != to).astype(float)
    draw = np.random.default_rng(0)
    for _ in range(10):
        a, b = draw.random(5) * np.array([0.01, 1, 1, 1, 1]), draw.random(4)
        a /= a.sum()
        b *= (np.bincount(at, a) / np.bincount(to, b))[to] * (1 + 3e-15 * draw.normal(size=4))
        found = least_plan(cost, a, b, EPS)
        assert found.gap <= 1e-12 and 0 <= _total(cost, found) <= 1e-14


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
    assert found.gap <= 1e-12  # by potentials in their places: long problems are solved turned


def test_masses_whose_sums_differ_as_those_of_weights_may():
    """In single precision by 4e-4: the plan is that of b made as heavy as a, and still the least."""
    cost, a, b = _problem("masses")
    heavy, found = (least_plan(cost, a, z, EPS) for z in (1.0004 * b, b))
    assert heavy.gap <= 1e-12
    np.testing.assert_allclose(_total(cost, heavy), _total(cost, found), rtol=1e-12)
    np.testing.assert_allclose(np.bincount(heavy.at[1], heavy.mass), b, atol=1e-14)


def test_warnings_of_others_survive_two_threads_at_once(monkeypatch):
    """Filters are those of the process: the second to leave would put back those of the first."""

    def emd(a, b, *_, **__):
        time.sleep(0.02)
        return np.outer(a, b), {"warning": None, "u": np.zeros(2), "v": np.zeros(2)}

    monkeypatch.setattr(simplex, "_pot", lambda: SimpleNamespace(emd=emd))
    half, before = np.full(2, 0.5), [*warnings.filters]
    threads = [
        threading.Thread(target=network_simplex, args=(np.ones((2, 2)), half, half))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert warnings.filters == before
