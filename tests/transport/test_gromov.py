"""Gromov-Wasserstein distances against closed forms and all permutations."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.transport import SquaredGeodesic, gromov_wasserstein
from meanfield.transport.distances._gromov import _Spaces, _with_marginals


def pair(distance):
    return jnp.array([[0.0], [distance]])


def test_two_points_each():
    # A plan with mass p on the diagonal: E d^2 + E d'^2 - 2 E d d', least at p = 0 or 1: (r - s)^2/2.
    for r, s in [(1.0, 2.5), (0.3, 0.2)]:
        found = gromov_wasserstein(pair(r), pair(s))
        np.testing.assert_allclose(found.cost, (r - s) ** 2 / 2, rtol=1e-9)
        np.testing.assert_allclose(found.value, abs(r - s) / np.sqrt(2), rtol=1e-9)
        assert found.converged and float(found.error) <= 1e-6
    # Squares of 2^-600 are 0, those of 2^600 infinite; a power of 2 rounds nothing.
    for scale in (2.0**-600, 2.0**600):
        found = gromov_wasserstein(pair(scale), pair(2.5 * scale))
        np.testing.assert_allclose(found.value / scale, 1.5 / np.sqrt(2), rtol=1e-9)
        assert found.converged
    # Masses q, 1 - q and 1/2, 1/2: of all p in [0, q], P = [[p, q-p], [1/2-p, 1/2-q+p]], the cost is
    # 2 q (1-q) r^2 + s^2/2 - 4 r s (p (1/2-q+p) + (q-p)(1/2-p)), convex in p: least at an end.
    q, r, s = 0.2, 1.0, 2.0
    together = max(p * (0.5 - q + p) + (q - p) * (0.5 - p) for p in (0.0, q))
    want = 2 * q * (1 - q) * r**2 + s**2 / 2 - 4 * r * s * together
    found = gromov_wasserstein(pair(r), pair(s), jnp.array([q, 1 - q]))
    np.testing.assert_allclose(found.cost, want, rtol=1e-9)


def test_derivatives_are_those_of_the_plan():
    """Of |r - s|/sqrt 2 and its square, with scales far from 1; at r = s, the least, there is none."""
    value, by = jax.value_and_grad(lambda x, y: gromov_wasserstein(x, y).value, argnums=(0, 1))(
        pair(1e3), pair(2.5e3)
    )
    np.testing.assert_allclose(value, 1.5e3 / np.sqrt(2), rtol=1e-9)
    np.testing.assert_allclose(by[0][:, 0], [0.5**0.5, -(0.5**0.5)], rtol=1e-9)
    np.testing.assert_allclose(by[1], -by[0], rtol=1e-9)
    with pytest.raises(Exception, match="no derivative by the masses"):
        jax.grad(lambda a: gromov_wasserstein(pair(1.0), pair(2.5), a).cost)(jnp.full(2, 0.5))


@pytest.mark.slow
def test_derivatives_are_finite_differences():
    keys = jax.random.split(jax.random.key(4), 3)
    x, y = jax.random.normal(keys[0], (6, 2)), jax.random.normal(keys[1], (4, 3))
    way, a = jax.random.normal(keys[2], x.shape), jnp.array([0.1, 0.3, 0.1, 0.2, 0.3, 0.0])
    cost = jax.jit(lambda t: gromov_wasserstein(x + t * way, y, a).cost)
    slope = jax.jvp(cost, (0.0,), (1.0,))[1]
    h = 1e-5
    np.testing.assert_allclose(slope, (cost(h) - cost(-h)) / (2 * h), rtol=1e-6)


@pytest.mark.slow
def test_rotated_and_renumbered_clouds_are_the_same_and_noisy_ones_as_all_permutations_say():
    keys = jax.random.split(jax.random.key(1), 3)
    x = jax.random.normal(keys[0], (5, 3))
    order = jnp.array([3, 0, 4, 1, 2])
    turn = jnp.linalg.qr(jax.random.normal(keys[1], (4, 3)))[0]  # into one dimension more
    y = x[order] @ turn.T + 2.0
    same = gromov_wasserstein(x, y)
    assert same.converged and float(same.value) < 1e-6  # a root of rounding
    np.testing.assert_allclose(same.plan[order, jnp.arange(5)], 0.2, rtol=1e-12)
    y = y + 0.2 * jax.random.normal(keys[2], (5, 4))
    first, second = (
        np.linalg.norm(z[:, None] - z, axis=-1) for z in (np.asarray(x), np.asarray(y))
    )
    # Euclidean distances are conditionally negative: the cost is concave, and least at a permutation.
    want = min(
        np.mean((first - second[np.ix_(p, p)]) ** 2)
        for p in map(list, itertools.permutations(range(5)))
    )
    found = gromov_wasserstein(x, y)
    assert found.converged and want > 0.01
    np.testing.assert_allclose(found.cost, want, rtol=1e-9)


def test_distances_on_spheres_are_angles_and_flags_are_false_where_it_gives_up():
    x = jnp.array([[1.0, 0.0], [0.0, 1.0]])  # a right angle
    y = jnp.array([[1.0, 0.0, 0.0], [-0.5, 0.0, np.sqrt(0.75)]])  # 2 pi/3
    found = gromov_wasserstein(x, y, cost=SquaredGeodesic())
    np.testing.assert_allclose(found.cost, (np.pi / 6) ** 2 / 2, rtol=1e-9)
    check_refused(lambda: gromov_wasserstein(x, y, starts=0), "pass starts=1")
    check_refused(lambda: gromov_wasserstein(x, y, jnp.array([0.5, 0.6])), "divide by a.sum()")


def test_plans_whose_marginals_are_off_are_made_right_before_they_are_compared():
    """Rows and columns that have too much are scaled down, and what all lack is a product."""
    a, b = jnp.array([0.4, 0.6, 0.0]), jnp.array([0.5, 0.5])
    spaces = _Spaces(jnp.eye(3), jnp.eye(2), a, b)
    plan = jnp.array([[0.1, 0.5], [0.05, 0.2], [0.0, 0.0]])
    found = _with_marginals(plan, spaces)
    np.testing.assert_allclose(found.sum(axis=1), a, atol=1e-16)
    np.testing.assert_allclose(found.sum(axis=0), b, atol=1e-16)
    # The first row comes to 2/3 of it, the second column then to 15/16; the first column takes what lacks.
    exact = [[0.0875, 0.3125], [0.4125, 0.1875], [0.0, 0.0]]
    np.testing.assert_allclose(found, exact, atol=1e-16)
    np.testing.assert_allclose(_with_marginals(found, spaces), found, atol=1e-16)
