"""Sinkhorn's iteration by products with a kernel, against closed forms and log-sum-exps of blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_sums import logsumexp
from unit_vectors import masses, normal

from meanfield.transport import point_geometry, solve
from meanfield.transport.sinkhorn._absorbed import RANGES

X, Y = normal(0, 24, 2), jnp.asarray(1 + np.asarray(normal(1, 17, 2)))
A, B = np.array(masses(2, 24)), masses(3, 17)
A[3:5] = 0, A[3] + A[4]
A = jnp.asarray(A)


@pytest.mark.parametrize(
    "dtype",
    [jnp.float64, pytest.param(jnp.float32, marks=pytest.mark.slow)],
    ids=["float64", "float32"],
)
def test_two_points_and_two(dtype):
    """P_11 = 1/(2 (1 + e^{-s/(2 eps)})) where s = c_12 + c_21 - c_11 - c_22: both marginals are 1/2,
    and P_11 P_22/(P_12 P_21) = e^{s/eps}. At the least epsilon 12 in 1 of a plan is elsewhere, and
    e^{-c/eps} itself, at most e^{-3e4}, is no number."""
    x, y = jnp.asarray([[0.0], [1.0]], dtype), jnp.asarray([[100.3], [101.1]], dtype)
    s = 2 * 1 * 0.8
    run = jax.jit(lambda epsilon: solve(point_geometry(x, y, epsilon=epsilon), tol=1e-15))
    for epsilon in (3.0, 0.3):
        found = run(jnp.asarray(epsilon, dtype))
        assert found.converged
        expected = 0.5 / (1 + np.exp(-s / (2 * epsilon)))
        # Differences of costs of 1e4 are rounded to eps of these.
        unit = 1e4 * float(jnp.finfo(dtype).eps) / epsilon
        np.testing.assert_allclose(found.plan()[0, 0], expected, rtol=4 * unit)


@pytest.mark.parametrize(
    "taus", [pytest.param((None, None), marks=pytest.mark.slow), (0.8, 0.95)], ids=str
)
def test_products_equal_log_sum_exps(taus, monkeypatch):
    """Blocks are iterated in the logarithmic domain. With the tolerance 1e-11
    of masses, potentials differ by that over the least mass, 1e-3, and the condition of the problem.

    Last, potentials may move by .02 epsilon until the kernel is formed again.
    """

    def run(epsilon, dense, most=2000):
        geometry, (tau, other) = point_geometry(X, Y, epsilon=epsilon, dense=dense), taus
        return solve(geometry, A, B, tol=1e-11, max_iterations=most, tau_a=tau, tau_b=other)

    ours, theirs = (jax.jit(run, static_argnums=1)(0.2, dense) for dense in (True, False))
    monkeypatch.setitem(RANGES, 64, 0.02)
    # A number that no program was compiled with.
    again = jax.jit(lambda epsilon: run(epsilon, True, 3000))(0.2)
    for found in (ours, again):
        assert found.converged and theirs.converged
        np.testing.assert_allclose(found.f, theirs.f, atol=1e-8)
        np.testing.assert_allclose(found.g, theirs.g, atol=1e-8)
    counts = [int(found.iterations) for found in (ours, theirs)]
    assert max(counts) <= 1.2 * min(counts)


def _plain(costs, epsilon, tol) -> int:
    """Iterations of Sinkhorn's own, in NumPy and logarithms, until rows are right to `tol`."""
    f, rows = np.zeros(len(costs)), np.inf
    for count in range(20_000):
        g = -epsilon * logsumexp((f[:, None] - costs) / epsilon, 0, 1 / len(f))
        now = -epsilon * logsumexp((g - costs) / epsilon, 1, 1 / len(g))
        rows, f = np.abs(np.expm1((f - now) / epsilon)).mean(), now
        if rows <= tol:
            return count + 1
    return 20_000


def _in_clusters(dtype):
    """Of five clusters the clouds hold other shares: plans are settled within, and slowly between."""
    rng = np.random.default_rng([0, 24, 885])
    centres = rng.normal(size=(5, 3))
    return [
        jnp.asarray(centres[rng.integers(0, 5, n)] + 0.02 * rng.normal(size=(n, 3)), dtype)
        for n in (24, 17)
    ]


@pytest.mark.parametrize("epsilon", [0.1, pytest.param(0.01, marks=pytest.mark.slow)])
def test_steps_that_go_too_far_are_taken_back(epsilon):
    """A quarter of plain iterations at most, where the first steps are far from linear: with steps of any
    length they were nine in ten at the larger epsilon."""
    run = jax.jit(lambda x, y, e: solve(point_geometry(x, y, epsilon=e), max_iterations=20_000))
    for dtype in (jnp.float64, jnp.float32):
        x, y = _in_clusters(dtype)
        found = run(x, y, jnp.asarray(epsilon, dtype))
        costs = np.asarray(((x[:, None] - y) ** 2).sum(axis=-1), float)
        most = _plain(costs, epsilon, float(found.tol) / 2)
        assert found.converged and 4 * int(found.iterations) <= most


def test_single_precision_is_as_right_as_it_says_where_potentials_are_large():
    """Of potentials of F epsilons at the end, 4 F units of rounding, though those at first are small."""
    angles = np.random.default_rng(1).uniform(0, 2 * np.pi, (2, 24))
    x, y = (jnp.asarray(np.stack([np.cos(t), np.sin(t)], axis=1), jnp.float32) for t in angles)
    found = jax.jit(lambda x, y: solve(point_geometry(x, y, epsilon=0.01)))(x, y)
    largest = (jnp.abs(found.f).max() + jnp.abs(found.g).max()) / 0.02
    assert found.converged and float(found.tol) >= 4 * float(largest) * 2.0**-23 * (1 - 1e-6)


def test_a_cloud_and_itself():
    # P = diag(u) K diag(u), by Newton's method on log u + log K u = log a: a reference of its own.
    here = np.asarray(A > 0)
    x, a = np.asarray(X)[here], np.asarray(A)[here]
    kernel = np.exp(-((x[:, None] - x) ** 2).sum(axis=-1) / 0.2)
    log = -np.log(kernel @ a) / 2
    for _ in range(30):
        plan = a[:, None] * a * np.exp(log[:, None] + log) * kernel
        rows = plan.sum(axis=1)
        log += np.linalg.solve(np.diag(rows) + plan, a - rows)
    found = solve(point_geometry(X, epsilon=0.2), A, A, symmetric=True, tol=1e-12)
    assert found.converged and found.iterations < 40
    np.testing.assert_allclose(found.f[here] / 0.2, log, atol=1e-9)


def test_no_more_iterations_than_are_allowed_and_nan_is_told():
    geometry = point_geometry(X, Y, epsilon=0.01)
    for most in (1, 7):
        found = solve(geometry, A, B, tol=1e-9, max_iterations=most)
        assert int(found.iterations) == most and not found.converged
    poor = point_geometry(X.at[0, 0].set(jnp.nan), Y, epsilon=0.01)
    found = solve(poor, tol=1e-9, max_iterations=7)
    assert not found.converged and np.isinf(found.error) and int(found.iterations) < 5
