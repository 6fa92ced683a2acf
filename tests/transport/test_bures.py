"""The Bures distance: closed forms, and derivatives at equal covariances."""

import jax
import jax.numpy as jnp
import numpy as np

from meanfield.transport import adapted_gaussian, bures, gaussian_wasserstein

S = jnp.array([[2.0, 0.5], [0.5, 1.0]])
R = jnp.array([[1.0, -0.3], [-0.3, 3.0]])
MOVE = jnp.array([[1.0, 0.3], [0.3, -0.5]])
square = jax.jit(lambda a, b: bures(a, b) ** 2)


def test_closed_forms():
    # 2 x 2: tr (A B)^{1/2} = (tr AB + 2 (det AB)^{1/2})^{1/2}.
    cross = np.sqrt(np.trace(S @ R) + 2 * np.sqrt(np.linalg.det(S @ R)))
    np.testing.assert_allclose(square(S, R), np.trace(S + R) - 2 * cross, rtol=1e-14)
    assert float(bures(S, S)) < 1e-15 * 3
    # Commuting: the distance of the roots; singular matrices too.
    first, second = jnp.diag(jnp.array([4.0, 0.0])), jnp.diag(jnp.array([1.0, 9.0]))
    np.testing.assert_allclose(bures(first, second), np.sqrt(1 + 9), rtol=1e-15)
    means = jnp.array([3.0, 0.0]), jnp.array([0.0, 4.0])
    np.testing.assert_allclose(gaussian_wasserstein(means[0], S, means[1], S), 5, rtol=1e-15)
    both = gaussian_wasserstein(means[0], S, means[1], R)
    np.testing.assert_allclose(both, np.sqrt(25 + square(S, R)), rtol=1e-15)
    assert bures(S.astype(jnp.float32), R.astype(jnp.float32)).dtype == jnp.float32


def test_means_at_any_scale():
    """3-4-5 triangles whose squares are out of range, beside laws of one point and others."""
    for scale, cov in ((1e30, S), (1e-30, 0 * S)):
        laws = (jnp.array([3 * scale, 0.0], jnp.float32), jnp.array([0.0, 4 * scale], jnp.float32))
        first, second = ((mean, cov.astype(jnp.float32)) for mean in laws)
        np.testing.assert_allclose(gaussian_wasserstein(*first, *second), 5 * scale, rtol=1e-6)
    slope = jax.grad(lambda m: gaussian_wasserstein(m, 0 * S, jnp.zeros(2), 0 * S))
    np.testing.assert_allclose(slope(jnp.array([3e-200, 4e-200])), [0.6, 0.8], rtol=1e-14)
    assert not jnp.abs(slope(jnp.zeros(2))).max() > 0
    found = adapted_gaussian(jnp.array([3e-200, 0.0]), S, jnp.array([0.0, 4e-200]), S)
    np.testing.assert_allclose(found, 5e-200, rtol=1e-14)


def test_derivatives():
    h = 1e-4  # the error of a central difference is about h^2
    first, second = jax.grad(square, argnums=(0, 1))(S, R)
    ahead, behind = square(S + h * MOVE, R), square(S - h * MOVE, R)
    np.testing.assert_allclose((ahead - behind) / (2 * h), jnp.sum(first * MOVE), atol=h**2)
    ahead, behind = square(S, R + h * MOVE), square(S, R - h * MOVE)
    np.testing.assert_allclose((ahead - behind) / (2 * h), jnp.sum(second * MOVE), atol=h**2)
    # The distance itself has a kink there: rounding picks one of its slopes, none of them infinite.
    assert jnp.abs(jax.grad(bures)(S, S)).max() < 10
    np.testing.assert_allclose(jax.grad(square)(S, S), 0, atol=1e-14)
    # At the identity, where all eigenvalues are equal, B^2(I + t D, I) = t^2 |D|^2 / 4 + O(t^3).
    t = 1e-3
    np.testing.assert_allclose(
        square(jnp.eye(2) + t * MOVE, jnp.eye(2)), t**2 * jnp.sum(MOVE**2) / 4, rtol=2 * t
    )
