"""The degree-one extension of a field: any Runge-Kutta method on it returns to the sphere by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.geometry import Euclidean, Sphere

EPS = float(np.finfo(float).eps)
HEUN = ([[], [1.0]], [0.5, 0.5])
RK4 = ([[], [0.5], [0.0, 0.5], [0.0, 0.0, 1.0]], [1 / 6, 1 / 3, 1 / 3, 1 / 6])


def attract(u):
    """Softmax attention of inverse temperature 2, written out: a field that is not tangent."""
    return jax.nn.softmax(2 * u @ u.T, axis=-1) @ u


def runge_kutta(drift, x, h, tableau):
    """One step of an explicit Runge-Kutta method."""
    rows, weights = tableau
    stages = []
    for row in rows:
        stages.append(
            drift(x + h * sum((a * k for a, k in zip(row, stages, strict=True)), 0.0 * x))
        )
    return x + h * sum((b * k for b, k in zip(weights, stages, strict=True)), 0.0 * x)


def test_extension_is_homogeneous_of_degree_one_and_tangent(getkey):
    sphere = Sphere(3)
    x = sphere.sample(getkey(), 6)
    scale = jnp.exp(jax.random.normal(getkey(), (6, 1)))
    at_x, scaled = sphere.extend(attract, x), sphere.extend(attract, scale * x)
    np.testing.assert_allclose(scaled, scale * at_x, rtol=0, atol=32 * EPS * float(scale.max()))
    np.testing.assert_allclose(jnp.sum(x * at_x, axis=-1), 0, atol=16 * EPS)


def test_euler_on_the_extension_is_euler_and_renormalize(getkey):
    sphere, h = Sphere(3), 0.3
    x = y = sphere.sample(getkey(), 6)
    for _ in range(5):
        x = x + h * sphere.extend(attract, x)
        y = sphere.project(y + h * sphere.to_tangent(y, attract(y)))
    # Five contracting steps of about ten operations each.
    np.testing.assert_allclose(sphere.project(x), y, atol=64 * EPS)
    assert float(jnp.abs(jnp.linalg.norm(x, axis=-1) - 1).max()) > 0.01  # x did leave the sphere


@pytest.mark.parametrize("tableau", [HEUN, RK4], ids=["heun", "rk4"])
def test_runge_kutta_on_the_extension_commutes_with_returning_to_the_sphere(tableau, getkey):
    sphere, h = Sphere(3), 0.3
    x = y = sphere.sample(getkey(), 6)
    for _ in range(5):
        x = runge_kutta(lambda z: sphere.extend(attract, z), x, h, tableau)
        y = sphere.project(runge_kutta(lambda z: sphere.extend(attract, z), y, h, tableau))
    np.testing.assert_allclose(sphere.project(x), y, atol=128 * EPS)


def test_extension_of_a_token_at_the_origin_is_zero_and_flat_space_needs_none(getkey):
    x = jnp.zeros((1, 3))
    np.testing.assert_array_equal(Sphere(3).extend(lambda u: u + 1, x), x)
    x = Euclidean(3).sample(getkey(), 6)
    np.testing.assert_array_equal(Euclidean(3).extend(attract, x), attract(x))
