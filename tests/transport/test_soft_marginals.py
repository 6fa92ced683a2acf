"""Soft marginals: closed forms, and iterations against plain ones in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_sums import logsumexp
from unit_vectors import masses, normal

from meanfield.transport import point_geometry, solve

X, Y = np.array(normal(0, 9, 2)), 1 + np.array(normal(1, 20, 2))
A, B = masses(2, 9), masses(3, 20)


def _plain(costs, epsilon, taus, tol):
    """Potentials by Sinkhorn's own iteration, as ott has it, until rows are right to `tol`; and the count."""
    a, b, f, g, rows = np.asarray(A), np.asarray(B), np.zeros(9), 0, np.inf
    bent = lambda lse, mass, tau: -tau * lse - (1 - tau) * epsilon * np.log(mass)
    count = 0
    while rows > tol:
        count += 1
        g = bent(epsilon * logsumexp((f[:, None] - costs) / epsilon, 0, a[:, None]), b, taus[1])
        lse = epsilon * logsumexp((g - costs) / epsilon, 1, b)
        now = bent(lse, a, taus[0])
        before, after = (a * np.exp((p + lse) / epsilon) for p in (f, now))
        rows, f = np.abs(before - after).sum() / max(1, after.sum()), now
    return f, g, count


@pytest.mark.parametrize("dense", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_iterations_are_a_fraction_of_plain_ones(dense):
    """Errors of these fall by tau_a tau_b each time, and slower between clouds that hardly share mass:
    where columns are so far that the kernel has none of them, plans count as few iterations too."""
    run = jax.jit(
        lambda y, e, first, second: solve(
            point_geometry(jnp.asarray(X), y, epsilon=e, dense=dense),
            A, B, tol=1e-10, tau_a=first, tau_b=second,
        )
    )  # fmt: skip
    far = Y + np.where(np.arange(20) < 10, 100.0, 0.0)[:, None]
    for y, taus, share in (
        (Y, (0.99, 0.99), 0.1),
        (Y, (1.0, 0.9), 0.5),
        (Y, (0.999, 1.0), 0.1),
        (far, (0.5, 0.5), 1.0),
        (far, (1.0, 0.9), 0.5),
    ):
        costs = ((X[:, None] - y) ** 2).sum(axis=-1)
        f, g, most = _plain(costs, 0.3, taus, 5e-11)
        found = run(jnp.asarray(y), 0.3, *taus)
        assert found.converged and int(found.iterations) <= share * most
        # Within 1e-10 of masses, of a contraction that leaves .001 of an error, and of the least mass.
        shared = np.asarray(A)[:, None] * np.asarray(B) * np.exp((f[:, None] + g - costs) / 0.3)
        np.testing.assert_allclose(found.plan(), shared, atol=2e-7)


def test_the_mass_of_points_at_one_place():
    """n m p with (eps + 2 rho) log p = -c - 2 rho log(n m): errors count in units of a mass of 2e25."""
    x, y, epsilon, tau = jnp.zeros((9, 1)), jnp.zeros((20, 1)), 0.25, 0.5

    def cost(p, q):
        return ((p - q) ** 2).sum() - 48.0

    found = solve(point_geometry(x, y, cost, epsilon=epsilon), tau_a=tau, tau_b=tau, tol=1e-12)
    assert found.converged
    rho = epsilon * tau / (1 - tau)
    log = (48.0 - 2 * rho * np.log(180)) / (epsilon + 2 * rho)
    # 64 is rounded to 16 units.
    np.testing.assert_allclose(found.plan(), np.exp(log), rtol=1e-12)
    spread = point_geometry(jnp.asarray(X), jnp.asarray(Y), cost, epsilon=0.05)
    for tau in (0.5, 0.8):
        found = solve(spread, A, B, tau_a=tau, tau_b=tau, tol=1e-12, max_iterations=60)
        assert found.converged and int(found.iterations) < 30
        assert float(found.marginals[0].sum()) > 1e20


def test_a_marginal_that_is_not_soft_is_one_that_is_met():
    geometry = point_geometry(jnp.asarray(X), jnp.asarray(Y), epsilon=0.3)
    hard, known = solve(geometry, A, B), solve(geometry, A, B, tau_a=1.0, tau_b=1.0)
    assert known.iterations == hard.iterations and float(known.value) == float(hard.value)


def test_what_rounding_leaves_of_a_plan_is_told():
    """A share of 1e6 that all costs have in common is rounded to .06 in single precision, .2 epsilon: such
    a plan is off by tenths of its mass, and has not converged."""
    for dtype in (jnp.float32, jnp.float64):
        x, y = jnp.asarray(X, dtype), jnp.asarray(Y, dtype)
        for offset in (0.0, 1e6):
            geometry = point_geometry(
                x, y, lambda p, q, o=offset: ((p - q) ** 2).sum() + o, epsilon=0.3
            )
            right = dtype == jnp.float64 or offset == 0
            assert bool(solve(geometry, max_iterations=60).converged) == right
