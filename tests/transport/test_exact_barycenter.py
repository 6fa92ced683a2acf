"""Barycenters by exact plans: against quantiles, maps that are known, geodesics, and plans of their own."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from highs import highs_plan, square_distances
from numpy.testing import assert_allclose
from refusals import check_refused
from scipy.optimize import linear_sum_assignment
from unit_vectors import cap, normal

from meanfield.geometry import Sphere
from meanfield.transport import (
    Entropic,
    Exact,
    SquaredGeodesic,
    barycenter,
    quantile_barycenter,
    wasserstein,
)

EXACT, GEODESIC = Exact(), SquaredGeodesic()
WEIGHTS = jnp.array([0.2, 0.5, 0.3])
Z = normal(0, 12, 2)
CAP = jnp.stack([cap(seed, [0, 0, 1], 0.5, 9) for seed in (1, 2)])
PAIR = jnp.array([0.25, 0.75])


@eqx.filter_jit
def _barycenter(clouds, weights, **options):
    return barycenter(clouds, weights, method=EXACT, tol=1e-12, **options)


def _found(clouds, weights=None, **options):
    found = _barycenter(clouds, weights, **options)
    assert found.converged and found.error <= 1e-12 and found.epsilon == 0
    return found


def test_on_the_line_quantiles_average():
    clouds = normal(2, 3, 12, 1) * np.array([1.0, 2, 5])[:, None, None]
    found = _found(clouds, WEIGHTS)
    exact = quantile_barycenter(clouds[..., 0], WEIGHTS).points
    assert_allclose(jnp.sort(found.points[:, 0]), exact, rtol=1e-13, atol=1e-14)


def test_translations_average_in_one_step():
    shifts = jnp.array([[0.0, 0.0], [5.0, 1.0], [-2.0, 7.0]])
    clouds = jnp.stack([Z[jnp.roll(jnp.arange(12), k)] + s for k, s in enumerate(shifts)])
    found = _found(clouds, WEIGHTS)
    assert_allclose(found.points, Z + WEIGHTS @ shifts, atol=1e-13)
    assert found.iterations == 1


def test_stretched_copies_average_their_stretches():
    # diag(s) is the derivative of a convex function, and so is one over another: the maps are optimal.
    stretches = jnp.array([[1.0, 1.0], [3.0, 0.5], [0.2, 4.0]])
    found = _found(stretches[:, None] * Z, WEIGHTS)
    assert_allclose(found.points, (WEIGHTS @ stretches) * Z, atol=1e-13)


def test_the_least_of_all_matchings_of_small_clouds():
    """From a good start it is the least over all ways to match four points of three clouds."""
    clouds = np.asarray(jax.random.normal(jax.random.key(3), (3, 4, 2)))
    orders = [list(p) for p in itertools.permutations(range(4))]
    best, start = np.inf, None
    for one, two in itertools.product(orders, orders):
        matched = np.stack([clouds[0], clouds[1][one], clouds[2][two]])
        mean = np.tensordot(WEIGHTS, matched, 1)
        value = WEIGHTS @ ((matched - mean) ** 2).sum(axis=-1).mean(axis=-1)
        if value < best:
            best, start = value, mean
    found = _found(clouds, WEIGHTS, start=start + 1e-3 * Z[:4])
    assert_allclose(found.points, start, atol=1e-13)
    values = jax.jit(jax.vmap(lambda y: wasserstein(found.points, y).cost))(clouds)
    assert_allclose(WEIGHTS @ values, best, rtol=1e-12)


def test_sizes_and_masses_are_what_they_are():
    """Every point is the mean of where its plans send it, and the objective is below the start's."""
    clouds = [Z, Z[:5] + 3.0, 2 * Z[:7] - 1.0]
    masses = [None, jnp.array([0.1, 0.2, 0.3, 0.4, 0.0]), None]
    keep = jnp.array([0.3, 0.1, 0.2, 0.25, 0.15, 0.0])
    found = _found(clouds, WEIGHTS, masses=masses, start=Z[:6], start_masses=keep)
    assert_allclose(found.weights, keep)
    means = np.zeros((6, 2))
    for w, y, b in zip(WEIGHTS, map(np.asarray, clouds), masses, strict=True):
        b = np.full(len(y), 1 / len(y)) if b is None else np.asarray(b)
        plan = highs_plan(keep, b, square_distances(np.asarray(found.points), y))
        means += float(w) * plan @ y
    means = means[:5] / np.asarray(keep)[:5, None]
    assert_allclose(found.points[:5], means, atol=1e-12)
    far = [clouds[0], clouds[1].at[4].set(1e3), clouds[2]]
    assert_allclose(
        _found(far, WEIGHTS, masses=masses, start=Z[:6], start_masses=keep).points[:5],
        found.points[:5],
        atol=1e-12,
    )


def test_two_clouds_on_a_sphere_meet_on_geodesics_with_derivatives():
    along = Sphere(3).to_tangent(CAP, jnp.cos(jnp.arange(54.0)).reshape(2, 9, 3))

    def points(t):
        cap = Sphere(3).exp(CAP, t * along)
        found = barycenter(cap, PAIR, cost=GEODESIC, method=EXACT, tol=1e-12)
        return found.points, found.converged

    found, slope, converged = jax.jit(
        lambda t: jax.jvp(points, (t,), (jnp.ones(()),), has_aux=True)
    )(0.0)
    ends = linear_sum_assignment(np.arccos(np.asarray(CAP[0] @ CAP[1].T)) ** 2)[1]

    @jax.jit
    def halfway(t):
        """On the geodesics of the optimal matching, three quarters of the way."""
        cap = Sphere(3).exp(CAP, t * along)
        return Sphere(3).exp(cap[0], 0.75 * Sphere(3).log(cap[0], cap[1][ends]))

    exact, moved = jax.jit(lambda t: jax.jvp(halfway, (t,), (jnp.ones(()),)))(0.0)
    assert converged
    assert_allclose(found, exact, atol=1e-11)  # ten steps' roundings of 1e-12
    assert_allclose(slope, moved, atol=1e-7)  # conjugate gradients end at 1e-8


def test_gradients_in_flat_space_are_those_of_means():
    clouds = jnp.stack([Z, 2 * Z + 3])  # matched as they are numbered, by strict inequalities
    back = jax.jit(jax.grad(lambda c: jnp.sum(_points(c) * Z)))(clouds)
    assert_allclose(back, jnp.stack([0.25 * Z, 0.75 * Z]), atol=1e-12)


@jax.jit
def _points(clouds):
    return barycenter(clouds, PAIR, method=EXACT, tol=1e-9).points


@pytest.mark.parametrize("scale", [1e-160, 1e-100, 1e160])
def test_clouds_of_any_scale(scale):
    """A step is short against the distances of the points, whatever these are, and costs are in range."""
    clouds, start = scale * jnp.stack([Z, 2 * Z + 3]), scale * Z[:5]
    found = _found(clouds, PAIR, start=start, start_masses=jnp.full(5, 0.2))
    units = _found(clouds / scale, PAIR, start=start / scale, start_masses=jnp.full(5, 0.2))
    assert units.iterations > 0
    assert_allclose(found.points / scale, units.points, atol=1e-13)
    assert found.bias <= 1e-11 * scale


def test_no_derivative_of_plans_is_taken_for_zero():
    far = lambda b: barycenter([Z, Z[:4]], masses=[None, b], method=EXACT).points.sum()
    check_refused(lambda: jax.grad(far)(jnp.full(4, 0.25)), "leave out method")


def test_many_at_once():
    clouds = jnp.stack([jnp.stack([Z, s * Z + 1]) for s in (0.5, 3.0)])
    both = jax.jit(jax.vmap(_points))(clouds)
    assert_allclose(both, jnp.einsum("m,bmnd->bnd", PAIR, clouds), atol=1e-12)


@pytest.mark.slow
def test_single_precision_agrees():
    clouds = jnp.stack([Z, Z / 2 + 1])
    single = barycenter(clouds.astype(jnp.float32), PAIR.astype(jnp.float32), method=EXACT)
    assert single.converged and single.points.dtype == jnp.float32
    both = jnp.tensordot(PAIR, clouds, 1)
    assert_allclose(single.points, both, rtol=1e-6, atol=1e-6)


def test_what_is_no_barycenter_says_so():
    clouds = jax.random.normal(jax.random.key(4), (3, 12, 2))
    line = jnp.stack([1e-3 * jnp.arange(12.0), jnp.zeros(12)], axis=1)
    assert not barycenter(clouds, method=EXACT, start=line, tol=1e-9, max_steps=1).converged
    lost = jax.jit(lambda c: barycenter(c, method=EXACT))(clouds.at[0, 0, 0].set(jnp.nan))
    assert not lost.converged and jnp.isnan(lost.error)
    together = barycenter(0 * clouds + 1.0, method=EXACT)
    assert together.converged
    assert_allclose(together.points, 1.0, atol=1e-15)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"method": EXACT, "epsilon": 0.1}, "leave out epsilon or method"),
        ({"method": Entropic(0.1)}, r"pass Exact\("),
    ],
)
def test_refusals(options, words):
    with pytest.raises(ValueError, match=words):
        barycenter([Z, Z], **options)
