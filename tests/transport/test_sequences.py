"""Adapted distances between laws of sequences: closed forms, trees, chains, what is sampled."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused, each_of
from scipy.linalg import polar
from scipy.optimize import linprog
from scipy.special import ndtri

from meanfield.transport import (
    adapted_chains,
    adapted_empirical,
    adapted_gaussian,
    adapted_rate,
    adapted_wasserstein,
    gaussian_knothe_rosenblatt,
    gaussian_wasserstein,
    knothe_rosenblatt,
    structural_covariance,
    wasserstein,
)
from meanfield.transport.sequences._gaussians import _polar
from meanfield.transport.sequences._induction import coupled

UP, DOWN = jnp.array([[1.0, 2.0], [2.0, 5.0]]), jnp.array([[1.0, -2.0], [-2.0, 5.0]])
ZERO = jnp.zeros(2)
EPS = 0.1
# A first step of +-eps that announces the second, +-1, and one that does not.
TOLD = jnp.array([[EPS, 1.0], [-EPS, -1.0]])
UNTOLD = jnp.array([[0.0, 1.0], [0.0, -1.0]])


def random_tree(rng, n, steps=3, d=2):
    """Paths that share pasts, each with a mass."""
    paths = rng.integers(0, 2, (n, steps, d)) + 0.1 * rng.integers(0, 2, (n, steps, 1))
    return np.unique(paths, axis=0)


def bicausal_program(x, y, a, b):
    """The least cost over all plans that do not look ahead, as one linear program.

    P(y_1..t | x_1..T) = P(y_1..t | x_1..t): the mass that pairs (path of x, past of y) have is the
    share of the path in its past times that of the pair of pasts; and the other way around.
    """
    n, m = len(x), len(y)
    cost = ((x[:, None] - y[None]) ** 2).sum(axis=(2, 3))
    rows, right = [], []
    for i in range(n):
        rows.append((np.arange(n)[:, None] == i) * np.ones(m))
        right.append(a[i])
    for j in range(m):
        rows.append(np.ones((n, 1)) * (np.arange(m) == j))
        right.append(b[j])
    for one, other, w, flip in ((x, y, a, False), (y, x, b, True)):
        for t in range(1, x.shape[1]):
            for i, j in itertools.product(range(len(one)), range(len(other))):
                same = (one[:, :t] == one[i, :t]).all(axis=(1, 2))
                past = (other[:, :t] == other[j, :t]).all(axis=(1, 2))
                row = (np.eye(len(one))[i] - same * w[i] / w[same].sum())[:, None] * past
                rows.append(row.T if flip else row)
                right.append(0.0)
    found = linprog(cost.ravel(), A_eq=np.stack([r.ravel() for r in rows]), b_eq=right)
    return found.fun


def test_gaussian_values_of_the_literature():
    laws = ZERO, UP, ZERO, DOWN
    assert abs(float(adapted_gaussian(*laws)) ** 2 - 4) < 1e-13
    assert abs(float(gaussian_knothe_rosenblatt(*laws)) ** 2 - 16) < 1e-13
    assert abs(float(gaussian_wasserstein(*laws)) ** 2 - 3.055728) < 1e-6
    moved = adapted_gaussian(jnp.array([3.0, 0.0]), UP, ZERO, DOWN)
    assert abs(float(moved) ** 2 - 13) < 1e-12
    # One step of dimension 2 has no past: W2.
    whole = adapted_gaussian(*laws, 2)
    assert abs(float(whole - gaussian_wasserstein(*laws))) < 1e-12
    assert float(adapted_gaussian(ZERO, UP, ZERO, UP)) == 0


def test_blocks_are_the_best_coupling_of_the_noises_step_by_step():
    rng = np.random.default_rng(0)
    left, right = (np.tril(rng.standard_normal((6, 6))) + 3 * np.eye(6) for _ in range(2))
    mean = jnp.zeros(6)
    value = adapted_gaussian(mean, left @ left.T, mean, right @ right.T, 2)
    # The noises of step t may have any correlation C of norm <= 1: sum of singular values.
    product = left.T @ right
    gained = sum(
        np.linalg.svd(product[k : k + 2, k : k + 2], compute_uv=False).sum() for k in (0, 2, 4)
    )
    exact = (left**2).sum() + (right**2).sum() - 2 * gained
    np.testing.assert_allclose(value**2, exact, rtol=1e-12)


def test_the_orthogonal_factor_turns_at_the_rate_of_its_derivative():
    # Second derivatives of the distance alone need it: the first stands still at the best rotation.
    (x, move), h = np.random.default_rng(3).normal(size=(2, 2, 2)), 1e-5
    slope = (polar(x + h * move)[0] - polar(x - h * move)[0]) / (2 * h)
    factor, found = jax.jvp(_polar, (jnp.asarray(x)[None],), (jnp.asarray(move)[None],))
    np.testing.assert_allclose(factor[0], polar(x)[0], atol=1e-13)
    # Differences err by h^2 times a third derivative, over cubes of singular values.
    np.testing.assert_allclose(found[0], slope, atol=1e-8)


def test_derivatives_of_the_gaussian_distance():
    rng = np.random.default_rng(1)
    base, turn = rng.standard_normal((2, 4, 4))
    cov, along = jnp.asarray(base @ base.T + np.eye(4)), jnp.asarray(turn + turn.T)

    @jax.jit
    def value(s, d):
        first = adapted_gaussian(jnp.zeros(4), cov + s * along, jnp.ones(4), jnp.eye(4), 1)
        return first + adapted_gaussian(jnp.zeros(4), cov + s * along, jnp.ones(4), jnp.eye(4), 2)

    h = 1e-3
    ahead, now, behind = (value(s, 1) for s in (h, 0.0, -h))

    @jax.jit
    def slopes(s):
        one = jnp.ones(())
        return jax.jvp(lambda s: jax.jvp(lambda r: value(r, 1), (s,), (one,))[1], (s,), (one,))

    slope, bend = slopes(0.0)
    # h^2 times a third and a fourth derivative of order 1.
    assert abs(float(slope - (ahead - behind) / (2 * h))) < 1e-5
    assert abs(float(bend - (ahead - 2 * now + behind) / h**2)) < 1e-4
    at_equal = jax.grad(lambda c: adapted_gaussian(jnp.zeros(4), c, jnp.zeros(4), cov))(cov)
    assert bool(jnp.isfinite(at_equal).all())
    uncorrelated = jax.grad(lambda c: adapted_gaussian(ZERO, c, ZERO, DOWN))(jnp.eye(2))
    assert bool(jnp.isfinite(uncorrelated).all())


def test_what_is_announced_is_far_from_what_is_not():
    found = adapted_wasserstein(TOLD, UNTOLD)
    assert abs(float(found.cost) - (EPS**2 + 2)) < 1e-14
    assert abs(float(found) - np.sqrt(EPS**2 + 2)) < 1e-14
    np.testing.assert_allclose(found.steps, [EPS**2, 2], atol=1e-14)
    np.testing.assert_allclose(found.plan(), np.full((2, 2), 0.25), atol=1e-15)
    assert bool(found.converged)
    assert abs(float(wasserstein(TOLD, UNTOLD).cost) - EPS**2) < 1e-14


def test_trees_against_one_linear_program_over_all_bicausal_plans():
    rng = np.random.default_rng(3)
    for n in (7, 12):
        x, y = random_tree(rng, n), random_tree(rng, n)
        a, b = (rng.dirichlet(np.ones(len(z))) for z in (x, y))
        found = adapted_wasserstein(x, y, a, b)
        # HiGHS holds its constraints to 1e-7.
        assert abs(float(found.cost) - bicausal_program(x, y, a, b)) < 1e-6
        plan = np.asarray(found.plan())
        np.testing.assert_allclose(plan.sum(axis=1), a, atol=1e-12)
        np.testing.assert_allclose(plan.sum(axis=0), b, atol=1e-12)
        # It does not look ahead: given the first step of x, that of y says no more of the path x.
        for one, other, p in ((x, y, plan), (y, x, plan.T)):
            same = (one[:, None, 0] == one[None, :, 0]).all(axis=2)
            past = (other[:, None, 0] == other[None, :, 0]).all(axis=2)
            mass = p.sum(axis=1)
            shared = p @ past  # path, first step of the other
            expected = mass[:, None] / (same @ mass)[:, None] * (same @ shared)
            np.testing.assert_allclose(shared, expected, atol=1e-12)
        flat = (z.reshape(len(z), -1) for z in (x, y))
        assert float(found.cost) >= float(wasserstein(*flat, a, b).cost) - 1e-12


def test_inner_problems_by_any_way_are_linear_programs():
    rng = np.random.default_rng(4)
    p, q = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(5))
    x, y = np.sort(rng.standard_normal(4)), np.sort(rng.standard_normal(5))
    convex = (x[:, None] - y) ** 2
    for cost in (convex, -convex, rng.random((4, 5)), convex[:, ::-1]):
        rows = np.kron(np.eye(4), np.ones(5)), np.kron(np.ones(4), np.eye(5))
        exact = linprog(cost.ravel(), A_eq=np.vstack(rows), b_eq=np.r_[p, q]).fun
        found = coupled(cost, p, q)
        assert abs(found.mass @ cost[found.rows, found.columns] - exact) < 1e-9
        np.testing.assert_allclose(np.bincount(found.rows, found.mass, 4), p, atol=1e-14)
        np.testing.assert_allclose(np.bincount(found.columns, found.mass, 5), q, atol=1e-14)


def test_quantiles_step_by_step():
    # Of Gaussian noises on a grid of quantiles: their triangular maps L z and M z, of mean square
    # |L - M|^2 = 16 times the variance of the grid.
    z = ndtri((np.arange(9) + 0.5) / 9)
    noise = np.stack(np.meshgrid(z, z, indexing="ij"), axis=-1).reshape(-1, 2)
    x, y = (noise @ np.linalg.cholesky(cov).T for cov in (UP, DOWN))
    x, y = (np.round(paths, 12) for paths in (x, y))
    triangular = knothe_rosenblatt(x, y)
    np.testing.assert_allclose(triangular.cost, 16 * np.mean(z**2), rtol=1e-9)
    np.testing.assert_allclose(triangular.plan(), np.eye(81) / 81, atol=1e-15)
    # The best one turns the first noise around, which is symmetric: 4 in place of 16.
    np.testing.assert_allclose(adapted_wasserstein(x, y).cost, 4 * np.mean(z**2), rtol=1e-9)


def test_chains_are_trees_of_their_paths():
    rng = np.random.default_rng(5)
    x, y, steps = rng.standard_normal((2, 2)), rng.standard_normal((3, 2)), 3
    p, q = rng.dirichlet(np.ones(2), 2), rng.dirichlet(np.ones(3), 3)
    a, b = rng.dirichlet(np.ones(2)), rng.dirichlet(np.ones(3))

    def paths(states, start, rates):
        ways = np.array(list(itertools.product(range(len(states)), repeat=steps)))
        mass = start[ways[:, 0]] * np.prod(rates[ways[:, :-1], ways[:, 1:]], axis=1)
        return states[ways], mass

    (first, mine), (second, yours) = paths(x, a, p), paths(y, b, q)
    whole = adapted_wasserstein(first, second, mine, yours)
    np.testing.assert_allclose(adapted_chains(x, p, y, q, steps, a, b), whole.value, rtol=1e-12)


def test_a_structural_model_is_a_triangular_factor():
    linear = jnp.array([[0.0, 0.0], [2.0, 0.0]])  # x_2 = 2 x_1 + z_2
    np.testing.assert_allclose(structural_covariance(linear, jnp.ones(2)), UP, atol=1e-14)
    np.testing.assert_allclose(structural_covariance(-linear, jnp.ones(2)), DOWN, atol=1e-14)
    np.testing.assert_allclose(
        structural_covariance(linear, jnp.array([2.0, 3.0])), [[4, 8], [8, 25]], atol=1e-13
    )


def walk(key, n):
    """A random walk of two steps."""
    return jnp.cumsum(jax.random.normal(key, (n, 2)), axis=1)


def true_walk(n=40):
    """Its law, on a grid of n quantiles a step, of the right variance."""
    z = ndtri((np.arange(n) + 0.5) / n)
    z = z / np.sqrt(np.mean(z**2))
    first, second = np.meshgrid(z, z, indexing="ij")
    return np.round(np.stack([first, first + second], axis=-1).reshape(-1, 2), 12)


def test_sampled_paths_meet_on_the_grid():
    assert adapted_rate(2, 1) == 1 / 3 and adapted_rate(3, 1) == 1 / 4
    assert adapted_rate(3, 2) == 1 / 6 and adapted_rate(2, 5) == 1 / 10
    x = walk(jax.random.key(0), 27)[:, :, None]
    np.testing.assert_allclose(adapted_empirical(x, 0.5), np.round(2 * x) / 2, atol=1e-15)
    # The default cell is a third of the spread here, n^{-1/3}, whatever the unit.
    grid = adapted_empirical(x)
    side = jnp.sqrt(jnp.mean((x - x.mean(axis=0)) ** 2)) / 3
    np.testing.assert_allclose(grid / side, jnp.round(x / side), atol=1e-9)
    np.testing.assert_allclose(adapted_empirical(100 * x), 100 * grid, rtol=1e-12)
    # The plain empirical law has 30 first steps of one future each, which costs the variance of a
    # step, less what it gains on those: 1.74 published for it, 1.00 on the grid, of spread .1 to .2.
    paths, law = walk(jax.random.key(1), 30), true_walk(20)
    plain = float(adapted_wasserstein(paths, law).cost)
    rounded = adapted_empirical(paths[:, :, None], 30 ** (-1 / 3))[:, :, 0]
    assert 1.2 < plain < 2.3 and float(adapted_wasserstein(rounded, law).cost) < plain - 0.3


@pytest.mark.slow
def test_the_error_on_the_grid_falls_at_its_rate():
    law, sizes = true_walk(), (30, 100, 300)
    costs = np.empty((2, 3, 4))
    for i, n in enumerate(sizes):
        for seed in range(4):
            x = walk(jax.random.key(10 * n + seed), n)
            grid = adapted_empirical(x[:, :, None], n ** (-1 / 3))[:, :, 0]
            costs[:, i, seed] = [float(adapted_wasserstein(z, law).cost) for z in (x, grid)]
    plain, rounded = costs.mean(axis=2)
    # Four standard errors, of four seeds, about the published means.
    wide = 4 * costs.std(axis=2, ddof=1) / 2
    assert (np.abs(rounded - [1.00, 0.54, 0.30]) < wide[1] + 0.1).all()
    assert (np.abs(plain - [1.74, 1.54, 1.58]) < wide[0] + 0.1).all() and (plain > 1.2).all()
    # AW2 falls by n^{-1/4} at the rate of AW1 squared or faster, on average.
    power = -np.polyfit(np.log(sizes), np.log(rounded), 1)[0]
    assert 0.3 < power < 0.8


def test_derivatives_in_paths_hold_the_plan_and_in_masses_are_none():
    a = jnp.array([0.3, 0.7])

    def cost(x, a):
        return adapted_wasserstein(x, UNTOLD, a).cost

    slope = jax.jit(jax.grad(cost))(TOLD, a)
    # 2 sum_j P_ij (x_i - y_j): the plan is the product of a and (1/2, 1/2).
    exact = 2 * a[:, None] * (TOLD - UNTOLD.mean(axis=0))
    np.testing.assert_allclose(slope, exact, atol=1e-14)
    assert bool(jnp.isnan(jax.grad(cost, 1)(TOLD, a)).all())
    assert bool(jnp.isnan(jax.jit(cost)(TOLD.at[0, 0].set(jnp.nan), a)))


REFUSED = [
    ("a singular law", lambda: adapted_gaussian(ZERO, jnp.ones((2, 2)), ZERO, UP), "add noise"),
    ("another size", lambda: adapted_gaussian(ZERO, UP, ZERO, jnp.eye(3)), "in this order"),
    ("steps that do not divide", lambda: adapted_gaussian(ZERO, UP, ZERO, UP, 3), "multiple"),
    ("steps in no dimension", lambda: adapted_gaussian(ZERO, UP, ZERO, UP, 0), ">= 1"),
    ("quantiles in the plane", lambda: knothe_rosenblatt(*2 * [jnp.ones((3, 2, 2))]), "adapted"),
    ("paths of two lengths", lambda: adapted_wasserstein(TOLD, TOLD[:, :1]), "cut"),
    ("an effect before its cause", lambda: structural_covariance(UP, jnp.ones(2)), "causes"),
    ("no transitions", lambda: adapted_chains(UP, UP, UP, UP, 2), "divide each by its sum"),
]


@each_of(REFUSED)
def test_what_is_no_law_of_sequences_is_refused(call, remedy):
    check_refused(call, remedy)
