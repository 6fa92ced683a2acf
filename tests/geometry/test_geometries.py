"""Exponential and logarithm, distances and projections against identities and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.geometry import Euclidean, Sphere

EPS = float(np.finfo(float).eps)
GEOMETRIES = [Sphere(2), Sphere(3), Sphere(64), Euclidean(1), Euclidean(3)]
SPHERES = [geometry for geometry in GEOMETRIES if isinstance(geometry, Sphere)]
# A few sums of d products: eps times a small number, the same for every identity here.
ROUNDING = 32 * EPS


# Of spheres, what no dimension changes.
FEW = [pytest.param(g, marks=pytest.mark.slow if g.d in (2, 64) else ()) for g in GEOMETRIES]


def name(geometry) -> str:
    return f"{type(geometry).__name__}-{geometry.d}"


def at_angle(sphere: Sphere, x, v, angle):
    """The point at a given angle from x on the great circle of the tangent vector v, in numpy."""
    x, v = np.asarray(x), np.asarray(sphere.to_tangent(x, v))
    v = v / np.linalg.norm(v, axis=-1, keepdims=True)
    return jnp.asarray(np.cos(angle) * x + np.sin(angle) * v)


@pytest.mark.parametrize("geometry", FEW, ids=name)
def test_projections_project(geometry, getkey):
    x, v = geometry.sample(getkey(), 9), jax.random.normal(getkey(), (9, geometry.d))
    np.testing.assert_allclose(geometry.project(x), x, atol=ROUNDING)
    p = geometry.to_tangent(x, v)
    np.testing.assert_allclose(geometry.to_tangent(x, p), p, atol=ROUNDING * jnp.abs(v).max())
    if isinstance(geometry, Sphere):
        np.testing.assert_allclose(jnp.linalg.norm(geometry.project(3 * x), axis=-1), 1, atol=EPS)
        np.testing.assert_allclose(jnp.sum(x * p, axis=-1), 0, atol=8 * ROUNDING)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=name)
def test_log_inverts_exp_and_its_length_is_the_distance(geometry, getkey):
    x, y = geometry.sample(getkey(), 9), geometry.sample(getkey(), 9)
    v = geometry.log(x, y)
    np.testing.assert_allclose(geometry.exp(x, v), y, atol=ROUNDING)
    length = jnp.linalg.norm(v, axis=-1)
    np.testing.assert_allclose(geometry.distance(x, y), length, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(geometry.distance(y, x), geometry.distance(x, y), atol=0)
    np.testing.assert_allclose(geometry.to_tangent(x, v), v, atol=ROUNDING)


@pytest.mark.parametrize("sphere", SPHERES, ids=name)
@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-6, 1.0, 3.0, np.pi - 1e-6])
def test_log_and_exp_near_the_point_and_near_its_antipode(sphere, angle, getkey):
    x, v = sphere.sample(getkey(), 9), jax.random.normal(getkey(), (9, sphere.d))
    y = at_angle(sphere, x, v, angle)
    np.testing.assert_allclose(sphere.distance(x, y), angle, atol=ROUNDING)
    log = sphere.log(x, y)
    np.testing.assert_allclose(jnp.sum(x * log, axis=-1), 0, atol=ROUNDING)
    # Near the antipode the rounding of y turns the direction of log by eps / (pi - angle), but
    # exp takes all directions to the same place.
    np.testing.assert_allclose(sphere.exp(x, log), y, atol=ROUNDING)
    assert np.isfinite(log).all()


@pytest.mark.parametrize("sphere", SPHERES, ids=name)
def test_antipodes_are_pi_apart_and_their_log_is_zero(sphere, getkey):
    x = sphere.sample(getkey(), 9)
    np.testing.assert_allclose(sphere.distance(x, -x), np.pi, rtol=2 * EPS)
    assert (sphere.log(x, -x) == 0).all()


def test_tiny_angles_keep_all_their_digits():
    # y = (1, h, 0) is on the sphere to rounding for h < 1e-8, and its angle is h to all digits.
    h = jnp.array([1e-8, 1e-12, 1e-15, 1e-100])
    y = jnp.stack([jnp.ones(4), h, jnp.zeros(4)], axis=-1)
    x = jnp.broadcast_to(jnp.eye(3)[0], (4, 3))
    np.testing.assert_allclose(Sphere(3).distance(x, y), h, rtol=4e-16)
    np.testing.assert_allclose(Sphere(3).log(x, y)[:, 1], h, rtol=4e-16)
    # A clipped arccos of 1 - h^2/2 would have the angle 0 from h = 1e-8 on.
    assert float(jnp.arccos(1 - h[0] ** 2 / 2)) == 0


@pytest.mark.parametrize("sphere", [g for g in FEW if isinstance(g.values[0], Sphere)], ids=name)
def test_derivatives_are_finite_on_the_diagonal_and_at_antipodes(sphere, getkey):
    x = sphere.sample(getkey(), 1)[0]
    tangent = jnp.eye(sphere.d) - jnp.outer(x, x)
    gradient = jax.jit(jax.grad(sphere.distance, argnums=(0, 1)))
    for y in (x, -x):
        assert np.isfinite(gradient(x, y)).all()
    # At y = x: log(x, y) = P (y - x) + O(2), and exp(x, v) = x + v + O(2).
    by_x, by_y = jax.jit(jax.jacobian(sphere.log, argnums=(0, 1)))(x, x)
    np.testing.assert_allclose(by_y, tangent, atol=ROUNDING)
    np.testing.assert_allclose(by_x, -tangent, atol=ROUNDING)
    by_v = jax.jit(jax.jacobian(sphere.exp, argnums=1))(x, jnp.zeros_like(x))
    np.testing.assert_allclose(by_v @ tangent, tangent, atol=ROUNDING)
    zero = jnp.zeros_like(x)
    assert np.isfinite(jax.jit(jax.jacobian(sphere.project))(zero)).all()
    np.testing.assert_array_equal(sphere.project(zero), zero)


@pytest.mark.parametrize("sphere", SPHERES, ids=name)
def test_samples_of_the_sphere_are_uniform(sphere, getkey):
    d, n = sphere.d, 4000
    x = np.asarray(sphere.sample(getkey(), n))
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=4 * EPS)
    # E x = 0, E x x^T = I/d; var x_1 = 1/d, var x_1^2 = 2(d-1)/(d^2 (d+2)),
    # var x_1 x_2 = 1/(d(d+2)). Few entries are looked at, so four standard errors are rarely left.
    assert (np.abs(x.mean(0)[:3]) < 4 * np.sqrt(1 / d / n)).all()
    second = x.T @ x / n
    spread = np.sqrt(2 * (d - 1) / (d**2 * (d + 2)) / n)
    assert (np.abs(np.diag(second)[:3] - 1 / d) < 4 * spread).all()
    assert abs(second[0, 1]) < 4 * np.sqrt(1 / (d * (d + 2)) / n)


def test_samples_of_flat_space_are_standard_normal(getkey):
    n = 4000
    x = np.asarray(Euclidean(3).sample(getkey(), n))
    assert (np.abs(x.mean(0)) < 4 / np.sqrt(n)).all()
    assert (np.abs((x**2).mean(0) - 1) < 4 * np.sqrt(2 / n)).all()


@pytest.mark.parametrize("geometry", [Sphere(3), Euclidean(3)], ids=name)
def test_float32_stays_float32(geometry, getkey):
    x, y = geometry.sample(getkey(), 5), geometry.sample(getkey(), 5)
    x, y = x.astype(jnp.float32), y.astype(jnp.float32)
    results = [geometry.project(x), geometry.to_tangent(x, y), geometry.exp(x, y - x)]
    results += [geometry.log(x, y), geometry.distance(x, y), geometry.check(x)]
    results += [geometry.extend(lambda u: 2 * u, x)]
    assert all(result.dtype == jnp.float32 for result in results)
    # Unit vectors of float32 are off the sphere by 1e-7, well within what check allows.
    np.testing.assert_allclose(geometry.exp(x, geometry.log(x, y)), y, atol=4e-6)


def test_geometries_refuse_what_does_not_fit():
    check_refused(lambda: Sphere(1), "integer >= 2")
    check_refused(lambda: Euclidean(0), "integer >= 1")
    check_refused(lambda: Sphere(3).check(2 * jnp.eye(3)), "normalize them with Sphere(d).project")
    check_refused(lambda: Sphere(3).check(jnp.ones((4, 2))), "of shape [n, 3]")
    check_refused(lambda: Euclidean(2).check(jnp.full((2, 2), jnp.nan)), "NaN")
    check_refused(lambda: Euclidean(2).check(jnp.ones((0, 2))), "empty cloud")
    # Of another dimension, or one column, which would be broadcast.
    eye, names = np.eye(3), ("exp", "log", "distance", "to_tangent", "project", "transport")
    alone = "project", "mean_curvature"
    for y in (np.ones((4, 2)), np.ones((3, 1)), np.ones(1), [1.0, 0.0, 0.0, 0.0]):
        for method in (
            getattr(space, name)
            for space in (Sphere(3), Euclidean(3))
            for name in (*names, "mean_curvature")
        ):
            points = {"transport": (eye, eye, y)}.get(method.__name__, (eye, y))
            points = (y,) if method.__name__ in alone else points
            check_refused(lambda m=method, p=points: m(*p), "vectors of 3 coordinates")
    for space in (Sphere(3), Euclidean(3)):
        check_refused(lambda s=space: s.extend(np.sin, np.ones((4, 2))), "vectors of 3 coordinates")


def test_flat_space_does_not_bend_and_spheres_bend_inwards():
    x = Sphere(4).sample(jax.random.key(0), 3)
    np.testing.assert_array_equal(Euclidean(4).mean_curvature(x), jnp.zeros_like(x))
    # Ito's drift of Brownian motion of generator Laplacian: -(d - 1) x.
    np.testing.assert_allclose(Sphere(4).mean_curvature(x), -3 * x, rtol=1e-15)
