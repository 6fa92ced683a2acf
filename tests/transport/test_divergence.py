"""The debiased Sinkhorn divergence: exact values, limits, symmetries, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from unit_vectors import cap, masses, normal, tangent

from meanfield.geometry import Sphere
from meanfield.transport import SquaredGeodesic, sinkhorn_divergence, wasserstein

N, M, COST = 40, 32, SquaredGeodesic()
X, Y = cap(0, [0, 0, 1], 0.45, N), cap(1, [1, 0, 0], 0.22, M)
A = masses(2, N, 5.0)
TOL = 1e-9


@jax.jit
def on_sphere(x, y, epsilon):
    """The divergence and its gradient in x."""

    def value(x):
        found = sinkhorn_divergence(x, y, cost=COST, epsilon=epsilon, tol=TOL)
        return found.value, found

    return jax.value_and_grad(value, has_aux=True)(x)


def padded(y):
    """y with its first points twice, so that one program serves every cloud."""
    return jnp.concatenate([y, y[: N - y.shape[0]]])


def unclamped(found):
    """The value, which is never negative, before that is made so."""
    return found.between.value - (found.first.value + found.second.value) / 2


def test_equal_clouds():
    (value, found), gradient = on_sphere(X, X, 0.1)
    # The value is of second order in the error of the potentials, the gradient of first: each mass
    # 1/n goes astray by what the marginals lack, over distances of at most 2 pi.
    assert found.converged and found.error < TOL
    assert abs(unclamped(found)) < 1e-13 and float(found) == value
    assert jnp.abs(gradient).max() < 2 * np.pi * 100 * TOL
    order = np.random.default_rng(3).permutation(N)
    assert abs(unclamped(on_sphere(X, X[order], 0.1)[0][1])) < 1e-13


def test_it_is_positive_and_symmetric_under_rotations():
    turn = np.linalg.qr(normal(3, 3, 3))[0]
    for epsilon in (1.0, 0.1, 0.02):
        for scale in (1e-3, 1.0):
            near = Sphere(3).exp(X, scale * Sphere(3).to_tangent(X, padded(Y)))
            (value, found), gradient = on_sphere(X, near, epsilon)
            (turned, _), turned_gradient = on_sphere(X @ turn.T, near @ turn.T, epsilon)
            assert found.converged and value > 0
            # Sums of n^2 terms of order one.
            np.testing.assert_allclose(turned, value, rtol=0, atol=1e-13)
            np.testing.assert_allclose(turned_gradient, gradient @ turn.T, atol=10 * TOL)


def test_gradient_against_differences():
    y, h = padded(Y), 1e-4
    move = tangent(4, X) / 3
    ahead, behind = (on_sphere(Sphere(3).exp(X, s * move), y, 0.1)[0][0] for s in (h, -h))
    slope = jnp.vdot(on_sphere(X, y, 0.1)[1], move)
    # A central difference is off by h^2 times a third derivative of order one.
    np.testing.assert_allclose((ahead - behind) / (2 * h), slope, atol=h**2)


def test_exact_values_on_flat_space():
    """A translation by v costs |v|^2 at any epsilon and any masses."""
    v, a = jnp.array([0.3, -0.1, 0.2]), masses(5, N)
    flat = jax.jit(
        lambda a, x, b, y, epsilon: sinkhorn_divergence(x, y, a, b, None, epsilon, tol=TOL)
    )
    for epsilon in (3.0, 0.1):
        np.testing.assert_allclose(flat(A, X, A, X + v, epsilon).value, v @ v, rtol=1e-10)
    # As epsilon grows, the squared distance of the means remains, and 1 / epsilon.
    gap = a @ X - A @ (2 * X + v)
    np.testing.assert_allclose(flat(a, X, A, 2 * X + v, 1e5).value, gap @ gap, rtol=1e-3)
    # Potentials are derivatives in the masses: central differences are off by h^2.
    h, change = 1e-3, a - A
    values = [flat(A + s * change, X, A, 2 * X + v, 1.0).value for s in (h, -h)]
    slope = flat(A, X, A, 2 * X + v, 1.0).potentials[0] @ change
    np.testing.assert_allclose((values[0] - values[1]) / (2 * h), slope, atol=h**2)
    # Those of the second cloud are the first ones of the clouds in the other order.
    there, back = flat(a, X, A, X[::-1] + v, 1.0), flat(A, X[::-1] + v, a, X, 1.0)
    forth, again = there.potentials[1], back.potentials[0]
    np.testing.assert_allclose(forth - A @ forth, again - A @ again, atol=1e-5)


def test_small_epsilon_tends_to_w2():
    exact = float(wasserstein(X, padded(Y), cost=COST)) ** 2
    gaps = [abs(float(on_sphere(X, padded(Y), eps)[0][0]) - exact) for eps in (1.0, 0.02)]
    assert gaps[1] < gaps[0] < 0.05 * exact


@pytest.mark.slow
def test_precision():
    x, y = X.astype(jnp.float32), Y.astype(jnp.float32)
    found = sinkhorn_divergence(x, y, cost=COST)
    assert found.value.dtype == found.error.dtype == found.epsilon.dtype == jnp.float32
    assert found.converged
    np.testing.assert_allclose(found.epsilon, 0.05 * COST.all_pairs(x, y).mean(), rtol=1e-5)


@pytest.mark.slow
def test_warm_starts_and_reports():
    cold = sinkhorn_divergence(X, Y, cost=COST)
    warm = sinkhorn_divergence(X, Y, cost=COST, init=cold)
    assert warm.iterations < cold.iterations and warm.converged
    np.testing.assert_allclose(warm.value, cold.value, rtol=1e-10)
    few = sinkhorn_divergence(X, Y, cost=COST, max_iterations=1, epsilon=1e-3)
    assert not few.converged and few.error > 1e-3
