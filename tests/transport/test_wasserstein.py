"""Transport between clouds on the sphere: exact against entropic, plans, derivatives, reports."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from unit_vectors import cap, masses, tangent

from meanfield.geometry import Sphere
from meanfield.transport import Entropic, Exact, SquaredEuclidean, SquaredGeodesic, wasserstein
from meanfield.transport.distances._wasserstein import _method

N, COST, SPHERE = 48, SquaredGeodesic(), Sphere(3)
X, Y = cap(0, [0, 0, 1], 0.45, N), cap(1, [1, 0, 0], 0.22, N)
MOVE = tangent(2, X)
MATRIX = np.arccos(np.clip(np.asarray(X) @ np.asarray(Y).T, -1, 1)) ** 2


@jax.jit
def with_gradient(x, y, epsilon, tol):
    def value(x):
        found = wasserstein(x, y, cost=COST, method=Entropic(epsilon, tol=tol))
        return found.value, found

    return jax.grad(value, has_aux=True)(x)


def entropic(x, y, epsilon, tol=1e-9):
    return with_gradient(x, y, epsilon, tol)[1]


@pytest.fixture(scope="module")
def exact():
    return wasserstein(X, Y, cost=COST)


def test_assignment(exact):
    assert exact.method == "exact: assignment" and exact.converged and exact.error < 1e-14
    plan = exact.plan()
    assert sorted(exact.solution.columns.tolist()) == list(range(N))
    np.testing.assert_allclose(exact.cost, np.sum(plan * MATRIX), rtol=1e-14)
    np.testing.assert_allclose(float(exact) ** 2, exact.cost, rtol=1e-15)
    np.testing.assert_allclose(exact.average(Y), Y[exact.solution.columns], rtol=1e-14)
    # The linear program knows nothing of assignments.
    program = jax.jit(lambda w: wasserstein(X, Y, w, w, COST, method=Exact()))(jnp.full(N, 1 / N))
    assert program.method == "exact: linear program"
    np.testing.assert_allclose(program.value, exact.value, rtol=1e-9)


def test_entropic_transport_tends_to_the_exact_one(exact):
    """0 <= <P, c> - W2^2 <= epsilon log n: the relative entropy of a permutation is log n."""
    scale, excess, tol = MATRIX.mean(), [], 1e-6
    for epsilon in (0.1, 0.01, 0.001):
        found = entropic(X, Y, epsilon * scale, tol)
        assert found.converged and found.method.startswith("entropic")
        plan = np.asarray(found.plan())
        off = np.abs(plan.sum(axis=1) - 1 / N).sum() + np.abs(plan.sum(axis=0) - 1 / N).sum()
        assert off < tol and abs(off - found.error) < 1e-10
        np.testing.assert_allclose(found.cost, np.sum(plan * MATRIX), rtol=1e-11)
        np.testing.assert_allclose(
            found.average(Y), plan @ Y / plan.sum(axis=1)[:, None], atol=1e-11
        )
        excess.append(float(found.cost - exact.cost))
        # What marginals lack costs at most its mass times the largest cost.
        assert -tol * MATRIX.max() < excess[-1] < epsilon * scale * np.log(N)
    assert excess[0] > excess[1] > excess[2]


def test_derivatives_in_the_points(exact):
    """The slope of the value along a motion on the sphere against central differences."""
    h, epsilon = 1e-5, np.float64(0.05)  # as there, so that the program is the same
    ahead, behind = SPHERE.exp(X, h * MOVE), SPHERE.exp(X, -h * MOVE)
    far = jax.jit(jax.value_and_grad(lambda x: wasserstein(x, Y, cost=COST).value))
    slope, difference = jnp.vdot(far(X)[1], MOVE), far(ahead)[0] - far(behind)[0]
    np.testing.assert_allclose(slope, difference / (2 * h), rtol=1e-8)
    gradient, _ = with_gradient(X, Y, epsilon, 1e-9)
    difference = entropic(ahead, Y, epsilon).value - entropic(behind, Y, epsilon).value
    # Marginals are met to 1e-9, which h magnifies.
    np.testing.assert_allclose(jnp.vdot(gradient, MOVE), difference / (2 * h), rtol=1e-5)
    np.testing.assert_allclose(jnp.sum(gradient * X, axis=1), 0, atol=1e-15)  # tangent


def test_derivatives_in_the_weights():
    a, b = (masses(seed, 12) for seed in (3, 4))
    change = 0.01 * (np.asarray(masses(5, 12)) - 1 / 12)
    far = jax.jit(jax.value_and_grad(lambda a: wasserstein(X[:12], Y[:12], a, b, COST).cost))
    # Linear while the basis stays optimal: differences are exact to rounding over h.
    h = 1e-6
    difference = (far(a + h * change)[0] - far(a - h * change)[0]) / (2 * h)
    np.testing.assert_allclose(jnp.vdot(far(a)[1], change), difference, rtol=1e-5)


def test_batches():
    batch = jnp.stack([X[:12], X[12:24]])
    together = jax.jit(jax.vmap(lambda x: wasserstein(x, Y[:12], cost=COST).value))(batch)
    apart = [float(wasserstein(x, Y[:12], cost=COST)) for x in batch]
    np.testing.assert_allclose(together, apart, rtol=1e-14)


def test_equal_clouds():
    far = jax.jit(jax.value_and_grad(lambda x: wasserstein(x, X[::-1], cost=COST).value))
    value, gradient = far(X)
    assert float(value) == 0 and not gradient.any()


@pytest.mark.slow
def test_precision():
    x, y = X[:12].astype(jnp.float32), Y[:12].astype(jnp.float32)
    for a in (None, jnp.full(12, 1 / 12, jnp.float32).at[0].multiply(1 - 1e-4)):
        a = a if a is None else a / a.sum()
        found = wasserstein(x, y, a, cost=COST)
        assert found.value.dtype == found.error.dtype == found.plan().dtype == jnp.float32
        assert found.converged


def test_no_convergence_is_reported():
    x, y = X[:12].astype(jnp.float32), Y[:12].astype(jnp.float32)
    method = Entropic(1e-4, max_iterations=4)
    found = jax.jit(lambda x, y: wasserstein(x, y, cost=COST, method=method))(x, y)
    assert not found.converged and found.error > 1e-6 and found.iterations <= 20
    assert found.value.dtype == jnp.float32 and jnp.isfinite(found.value)


def test_a_warm_start_is_quicker():
    cold = entropic(X, Y, 0.02)
    near = SPHERE.exp(X, 1e-3 * MOVE)
    again = entropic(near, Y, 0.02)

    @jax.jit
    def warmly(x, y, init):
        return wasserstein(x, y, cost=COST, method=Entropic(0.02, tol=1e-9, init=init))

    warm = warmly(near, Y, cold.potentials)
    np.testing.assert_allclose(warm.value, again.value, rtol=1e-8)
    assert warm.iterations < again.iterations


def test_the_method_follows_the_sizes():
    def chosen(n, m, a=None, cost=COST, d=3):
        return type(_method(jnp.zeros((n, d)), jnp.zeros((m, d)), a, None, cost))

    assert chosen(2000, 2000) is chosen(1000, 1000, jnp.linspace(0, 1, 1000)) is Exact
    assert chosen(2001, 2001) is chosen(1001, 1000) is Entropic
    assert chosen(9000, 5000, d=2) is chosen(9000, 5000, cost=SquaredEuclidean(), d=1) is Exact
