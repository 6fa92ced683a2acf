"""Costs against distances in extended precision, their gradients, and Karcher means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.geometry import Sphere
from meanfield.transport import SquaredEuclidean, SquaredGeodesic

COST = SquaredGeodesic()
EPS = np.finfo(float).eps


def square_angles(x, y):
    """theta^2 in extended precision."""
    x, y = np.asarray(x, np.longdouble)[:, None], np.asarray(y, np.longdouble)
    near, far = (np.sqrt(np.sum(z**2, axis=-1)) for z in (x - y, x + y))
    return ((2 * np.arctan2(near, far)) ** 2).astype(float)


def arc(angle, d=3):
    """A point at this angle from the first axis."""
    angle = jnp.asarray(angle)
    return jnp.zeros(d).at[:2].set(jnp.stack([jnp.cos(angle), jnp.sin(angle)]))


@pytest.mark.parametrize("d", [3, 6])
def test_the_matrix_holds_squared_distances(d, getkey):
    sphere = Sphere(d)
    x, y = sphere.sample(getkey(), 5), sphere.sample(getkey(), 4)
    # One pair is equal, one antipodal.
    y = y.at[0].set(x[0]).at[1].set(-x[1])
    exact = square_angles(x, y)
    pairs = jax.vmap(jax.vmap(COST, (None, 0)), (0, None))(x, y)
    np.testing.assert_allclose(pairs, exact, rtol=1e-14)
    matrix = COST.all_pairs(x, y)
    if d <= 4:
        np.testing.assert_allclose(matrix, exact, rtol=1e-14)
    else:
        # The product leaves errors of a few eps in |x + y|^2, and theta = pi - |x + y| + ...
        np.testing.assert_allclose(matrix[0, 0], 0, atol=20 * EPS)
        np.testing.assert_allclose(matrix, exact, atol=2 * np.pi * np.sqrt(20 * EPS))
        mild = exact < 9
        np.testing.assert_allclose(matrix[mild], exact[mild], atol=1e-13)
    squares = np.sum((np.asarray(x)[:, None] - np.asarray(y)) ** 2, axis=-1)
    shift = 1e4
    np.testing.assert_allclose(SquaredEuclidean().all_pairs(x, y), squares, atol=1e-14)
    moved = SquaredEuclidean().all_pairs(x + shift, y + shift)
    np.testing.assert_allclose(moved, squares, atol=20 * shift * EPS)  # of x + shift itself


def test_gradients_are_logarithms():
    """dc/dx = -2 log_x(y): tangent, zero on the diagonal, finite at the antipode."""
    gradient, x = jax.jit(jax.grad(COST)), arc(0.0)
    for angle in (1e-9, 1e-3, 1.0, np.pi - 1e-7):
        y = arc(angle)
        # y is a unit vector to rounding, which turns the tangent at the antipode.
        off = 20 * EPS / (np.pi - angle)
        exact = [0, -2 * angle, 0]
        np.testing.assert_allclose(gradient(x, y), exact, rtol=1e-8, atol=off)
    assert not gradient(x, x).any() and not gradient(x, -x).any()
    rows = jax.jit(jax.grad(lambda x, y: COST.all_pairs(x, y).sum()))
    for d in (3, 6):
        x, y = jnp.eye(d), jnp.concatenate([jnp.eye(d), -jnp.eye(d)])
        # Each axis has 2(d-1) others at pi/2: their logarithms cancel in pairs. Beyond d = 4 its
        # antipode is one up to an error of sqrt(eps) in the length of its logarithm.
        off = 1e-13 if d <= 4 else 2 * (1 + 1e-6) * np.sqrt(EPS)
        np.testing.assert_allclose(rows(x, y), 0, atol=off)
    hessian = jax.hessian(COST)(arc(0.0), arc(0.0))
    np.testing.assert_allclose(hessian, 2 * np.eye(3), atol=1e-14)


def test_karcher_means():
    w = jnp.array([0.2, 0.3, 0.5])
    points = jnp.stack([arc(0.1), arc(0.5), arc(1.1)])
    karcher = jax.jit(COST.barycenter)
    mean, converged = karcher(w, points)
    # On a great circle the mean of angles.
    assert converged and jnp.abs(mean - arc(0.02 + 0.15 + 0.55)).max() < 1e-11
    # In general, logarithms of the mean average to zero.
    points = Sphere(3).project(points + jnp.eye(3))
    mean, converged = karcher(w, points)
    logs = Sphere(3).log(jnp.broadcast_to(mean, points.shape), points)
    assert converged and jnp.abs(w @ logs).max() < 1e-11
    # Antipodes have no mean; the answer is a point of the sphere all the same.
    stuck, _ = karcher(jnp.array([0.5, 0.25, 0.25]), jnp.stack([arc(0.0), -arc(0.0), -arc(0.0)]))
    assert abs(jnp.linalg.norm(stuck) - 1) < 1e-14
    flat, _ = SquaredEuclidean().barycenter(w, points)
    np.testing.assert_allclose(flat, w @ points, rtol=1e-15)


def test_karcher_means_are_the_same_for_weights_of_any_sum():
    # On one great circle within half a turn it is the mean of the angles, (0 + .3 + 2)/4.
    points = jax.vmap(arc)(jnp.array([0.0, 0.3, 1.0]))
    mean, converged = COST.barycenter(jnp.array([1.0, 1.0, 2.0]), points)
    assert converged
    np.testing.assert_allclose(mean, arc(0.575), atol=1e-12)
