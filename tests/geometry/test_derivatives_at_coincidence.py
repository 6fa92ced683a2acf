"""Derivatives where points coincide, and lengths at the ends of each precision's range."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.geometry import Euclidean, Sphere

SPHERE, FLAT = Sphere(3), Euclidean(3)
X = jnp.array([2.0, -3.0, 6.0]) / 7
TANGENT = np.eye(3) - np.outer(X, X)


def test_squared_distances_have_their_hessian_where_points_coincide():
    """d(x, y)^2 = |log_y x|^2, whose second derivative at x = y is 2 on each tangent vector."""
    squared = lambda geometry: jax.jit(jax.hessian(lambda x: geometry.distance(x, X) ** 2))(X)
    np.testing.assert_allclose(squared(SPHERE), 2 * TANGENT, atol=1e-14)
    np.testing.assert_allclose(squared(FLAT), 2 * np.eye(3), atol=1e-14)
    # So have other even functions of the distance: 1 - cos d = 1 - <x, y> on the sphere.
    cosine = jax.jit(jax.hessian(lambda x: 1 - jnp.cos(SPHERE.distance(X, x))))(X)
    np.testing.assert_allclose(cosine, TANGENT, atol=1e-14)


@pytest.mark.parametrize("geometry", [SPHERE, FLAT])
def test_distances_have_gradient_zero_where_points_coincide(geometry):
    for gradient in jax.grad(geometry.distance, argnums=(0, 1))(X, X):
        np.testing.assert_allclose(gradient, 0, atol=1e-150)
    assert geometry.distance(X, X) == 0


def test_squared_distances_elsewhere():
    """The gradient is -2 log_x(y); along y the Hessian is 2, across it 2 theta/tan(theta)."""
    theta = 1.2
    across = jnp.array([3.0, 2.0, 0.0]) / np.sqrt(13)
    y = np.cos(theta) * X + np.sin(theta) * across
    squared = lambda x: SPHERE.distance(x, y) ** 2
    np.testing.assert_allclose(jax.jit(jax.grad(squared))(X), -2 * theta * across, atol=1e-14)
    other = np.cross(X, across)
    along = lambda v: jax.hessian(lambda s: squared(SPHERE.exp(X, s * v)))(jnp.array(0.0))
    curve = jax.jit(along)
    np.testing.assert_allclose(curve(across), 2, rtol=1e-12)
    np.testing.assert_allclose(curve(jnp.asarray(other)), 2 * theta / np.tan(theta), rtol=1e-12)


def test_the_exponential_map_bends_along_its_geodesics():
    """exp(x, v) = cos|v| x + sin|v|/|v| v: at v = 0 the second derivative is -x on each pair."""
    bend = jax.jit(jax.hessian(lambda v: SPHERE.exp(X, v)))(jnp.zeros(3))
    v = jnp.asarray(np.cross(X, [1.0, 0.0, 0.0]))
    np.testing.assert_allclose(bend @ v @ v, -X * (v @ v), atol=1e-14)
    for size in (1e-3, 0.03, 0.0316, 0.032, 2.0):  # on both sides of where the power series ends
        step = size * v / jnp.linalg.norm(v)
        exact = np.cos(size) * X + np.sin(size) * step / size
        np.testing.assert_allclose(SPHERE.exp(X, step), exact, atol=4e-16)
        # Along an axis each coordinate has its own rounding, which tells every term of the series.
        turned = SPHERE.exp(jnp.eye(3)[0], size * jnp.eye(3)[1])
        np.testing.assert_allclose(turned[:2], [np.cos(size), np.sin(size)], rtol=1e-15)


@pytest.mark.parametrize(
    ("dtype", "sizes"),
    # The inverse of the largest number of each list is below the least normal one.
    [(jnp.float32, [1e30, 1e-30, 3e38]), (jnp.float64, [1e200, 1e-200, 1.7e308])],
)
def test_points_of_any_size_are_projected(dtype, sizes):
    for size in sizes:
        x = jnp.array([0.6, 0.0, -0.8], dtype) * jnp.array(size, dtype)
        rounding = 4 * float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(SPHERE.project(x), [0.6, 0, -0.8], atol=rounding)
        np.testing.assert_allclose(FLAT.distance(x, 0 * x), size, rtol=rounding)


@pytest.mark.parametrize(
    ("dtype", "sizes"),
    [(jnp.float32, [1e18, 1e20, 1e-18]), (jnp.float64, [1e-200, 1e155, 1e200])],
)
def test_second_derivatives_of_lengths_of_any_size(dtype, sizes):
    """Of |v|: (1 - u u^T)/|v| with u = v/|v|; of |v|^2, where it is in range, 2."""
    # (2, -3, 6) has the length 7.
    v, u = jnp.array([2.0, -3.0, 6.0], dtype), np.array([2.0, -3.0, 6.0]) / 7
    curve = jax.jit(jax.hessian(lambda x: FLAT.distance(x, 0 * x)))
    square = jax.jit(jax.hessian(lambda x: FLAT.distance(x, 0 * x) ** 2))
    rounding = 8 * float(jnp.finfo(dtype).eps)
    for size in sizes:
        bent = np.asarray(curve(v * size), float) * 7 * size
        np.testing.assert_allclose(bent, np.eye(3) - np.outer(u, u), atol=rounding)
        np.testing.assert_allclose(square(v * size), 2 * np.eye(3), atol=rounding)


def test_lengths_on_the_line_are_in_range_in_a_program():
    """Compilers may take v/(a/b) for v b/a, whose product is not in range."""
    far = jax.jit(Euclidean(1).distance)
    for size in (1e-283, 1e-100, 3.0, 1e193, 1e300):
        np.testing.assert_allclose(far(jnp.array([size]), jnp.zeros(1)), size, rtol=1e-15)


def test_logarithms_of_points_at_rounding_from_each_other_have_derivatives():
    """y - x is then mostly across the sphere: d log_x(y)/dy at y = x is the projection, within |y - x|."""
    slope = jax.jit(jax.jacobian(lambda y: SPHERE.log(X, y)))
    for k in range(3):
        y = X.at[k].set(np.nextafter(X[k], 2))
        np.testing.assert_allclose(slope(y), TANGENT, atol=1e-15)


@pytest.mark.parametrize("geometry", [SPHERE, FLAT])
def test_nan_in_is_nan_out(geometry):
    bad = X.at[0].set(jnp.nan)
    for found in (
        geometry.distance(bad, X),
        geometry.distance(X, bad),
        geometry.project(bad)[0],
        geometry.exp(X, bad)[0],
        geometry.log(X, bad)[0],
    ):
        assert jnp.isnan(found)
