"""Barycenters against exact ones: quantiles, Bures, Karcher means."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from meanfield.geometry import Sphere
from meanfield.harmonics import Fourier, SphericalHarmonics
from meanfield.measures import Gaussian
from meanfield.transport import (
    Box,
    GeodesicGrid,
    SquaredGeodesic,
    barycenter,
    consensus_displacement,
    disagreement,
    displacement,
    fixed_support_barycenter,
    gaussian_barycenter,
    quantile_barycenter,
    symmetric_root,
)
from meanfield.transport.barycenters._free_support import Models, rounding

WEIGHTS = jnp.array([0.25, 0.75])


def covariance(x):
    return jnp.cov(x.T, bias=True)


def test_normal_laws_on_the_line_average_their_deviations():
    laws = [Gaussian(jnp.array([m]), jnp.array([[s**2]])) for m, s in ((0.0, 2.0), (1.0, 0.4))]
    found = gaussian_barycenter(laws, WEIGHTS)
    assert found.converged
    assert_allclose(found.law.mean, [0.75], rtol=1e-15)
    # The default tolerance of the iteration.
    assert_allclose(found.law.cov, [[(0.25 * 2 + 0.75 * 0.4) ** 2]], rtol=1e-9)


def test_the_bures_barycenter_is_a_fixed_point_and_has_a_gradient():
    a = jax.random.normal(jax.random.key(0), (3, 3, 3))
    covs = a @ jnp.swapaxes(a, 1, 2) + 0.1 * jnp.eye(3)

    @jax.jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def made(scale, unit):
        laws = [Gaussian(jnp.zeros(3), unit * scale**i * cov) for i, cov in enumerate(covs)]
        found = gaussian_barycenter(laws)
        return found.law.cov[0, 1], found

    (_, found), slope = made(1.0, 1.0)
    assert found.converged
    # The optimal maps from the barycenter to the laws average to the identity.
    values, vectors = jnp.linalg.eigh(found.law.cov)
    root = (vectors * jnp.sqrt(values)) @ vectors.T
    inverse = jnp.linalg.inv(root)
    values, vectors = jnp.linalg.eigh(root @ covs @ root)
    middle = (vectors * jnp.sqrt(values)[:, None]) @ jnp.swapaxes(vectors, 1, 2)
    assert_allclose(inverse @ middle.mean(0) @ inverse, jnp.eye(3), atol=1e-8)
    ahead, behind = (made(1 + h, 1.0)[0][0] for h in (1e-4, -1e-4))
    assert_allclose(slope, (ahead - behind) / 2e-4, rtol=1e-6)
    # Whatever the unit: sweeps end by what they move relative to the average.
    assert_allclose(made(1.0, 1e-40)[0][1].law.cov / 1e-40, found.law.cov, rtol=1e-9)


def test_quantiles_average_whatever_the_masses():
    equal = quantile_barycenter(jnp.array([[1.0, 0.0, 5.0], [4.0, 2.0, 3.0]]), WEIGHTS)
    assert_allclose(equal.points, [1.5, 2.5, 4.25], rtol=1e-15)
    clouds = [jnp.array([0.0, 1.0]), jnp.array([6.0, 0.0, 3.0])]
    merged = quantile_barycenter(clouds, masses=[None, jnp.array([0.2, 0.5, 0.3])])
    # F1 jumps at 1/2, F2 at .5 and .8.
    assert_allclose(merged.weights, [0.5, 0.0, 0.3, 0.2], atol=1e-15)
    assert_allclose(merged.points[jnp.array([0, 2, 3])], [0.0, 2.0, 3.5], atol=1e-15)


def test_densities_on_an_interval_keep_their_width():
    domain = Box(0.0, 1.0, 100)
    x = domain.points[:, 0]

    def normal(m, s):
        return domain.evaluate(lambda p: jnp.exp(-((p[0] - m) ** 2) / (2 * s**2)))

    densities = jnp.stack([normal(0.35, 0.04), normal(0.65, 0.08)])
    widths = []
    for debiased in (True, False):
        found = fixed_support_barycenter(
            domain, densities, WEIGHTS, epsilon=2e-3, debiased=debiased
        )
        assert found.converged
        mass = found.density * domain.weights
        assert_allclose(mass @ x, 0.25 * 0.35 + 0.75 * 0.65, rtol=1e-3)
        widths.append(float(jnp.sqrt(mass @ (x - mass @ x) ** 2)))
    exact = 0.25 * 0.04 + 0.75 * 0.08
    assert abs(widths[0] / exact - 1) < 0.01
    assert_allclose(widths[1] ** 2 - exact**2, 2e-3 / 2, rtol=0.2)


def test_densities_on_the_circle_move_along_it():
    domain = GeodesicGrid(Fourier(30))
    theta = domain.basis.nodes
    offset = jnp.mod(theta - 0.1 + jnp.pi, 2 * jnp.pi) - jnp.pi

    def bump(angle, kappa):
        return domain.evaluate(
            lambda p: jnp.exp(kappa * (p[0] * jnp.cos(angle) + p[1] * jnp.sin(angle) - 1))
        )

    found = fixed_support_barycenter(
        domain, jnp.stack([bump(-0.5, 20.0), bump(0.7, 20.0)]), epsilon=0.04
    )
    assert found.converged
    # Two turned copies of one law: their barycenter is a third, half-way.
    mass, same = found.density * domain.weights, bump(0.1, 20.0) * domain.weights
    assert_allclose(mass @ offset, 0, atol=1e-6)
    assert_allclose(mass @ offset**2, same @ offset**2, rtol=0.01)


@pytest.mark.slow  # half a minute; on the circle above
def test_densities_on_the_sphere_meet_half_way_and_keep_their_width():
    domain, angle = GeodesicGrid(SphericalHarmonics(12)), 0.4

    def heap(at):
        centre = jnp.array([jnp.cos(at), jnp.sin(at), 0.0])
        return domain.evaluate(lambda p: jnp.exp(20.0 * (centre @ p - 1)))

    found = fixed_support_barycenter(domain, jnp.stack([heap(-angle), heap(angle)]), epsilon=0.1)
    assert found.converged
    mass, same = found.density * domain.weights, heap(0.0) * domain.weights
    mean = mass @ domain.points
    # Half-way by symmetry, which the nodes have but to the accuracy of their quadrature.
    assert_allclose(Sphere(3).project(mean), [1.0, 0.0, 0.0], atol=1e-3)
    along, across = (
        mass @ domain.points[:, i] ** 2 / (same @ domain.points[:, i] ** 2) for i in (1, 2)
    )
    # Along the great circle the width is kept; across it the middles of pairs at the latitude u are at
    # tan u / cos(angle): wider by up to that factor.
    assert abs(along - 1) < 0.05
    assert 0.97 < across < 1.03 / jnp.cos(angle) ** 2


@pytest.mark.slow  # half a minute
def test_free_points_keep_the_covariance():
    keys = jax.random.split(jax.random.key(0), 2)
    roots = jnp.array([[[1.0, 0.4], [0.0, 0.5]], [[0.6, -0.3], [0.0, 1.2]]])
    clouds = jax.vmap(lambda key, root: jax.random.normal(key, (60, 2)) @ root)(keys, roots)
    clouds = clouds.at[1].add(1.0)
    exact = gaussian_barycenter([Gaussian(x.mean(0), covariance(x)) for x in clouds], WEIGHTS).law
    found = barycenter(clouds, WEIGHTS)
    assert found.converged
    assert_allclose(found.points.mean(0), exact.mean, atol=1e-5)
    off = jnp.linalg.norm(covariance(found.points) - exact.cov) / jnp.linalg.norm(exact.cov)
    assert off < 0.03
    assert_allclose(found.bias, found.error * jnp.sqrt(found.epsilon), rtol=1e-12)
    blurred = barycenter(clouds, WEIGHTS, debiased=False)
    # Entropy holds points sqrt(epsilon) times some tenths from where its absence would take them.
    assert blurred.error < 1e-3 and blurred.bias > 0.1 * jnp.sqrt(blurred.epsilon)
    assert jnp.trace(covariance(blurred.points)) < 0.7 * jnp.trace(exact.cov)


@pytest.mark.slow  # compiling the derivative of a step takes half a minute
def test_free_points_have_a_gradient_in_clouds_and_weights():
    keys, h = jax.random.split(jax.random.key(0), 3)[:2], 1e-4
    clouds, move = (jax.random.normal(key, (2, 8, 2)) for key in keys)
    clouds = clouds + jnp.array([[[1.0, 0.0]], [[2.0, 1.0]]])

    def made(change):
        x, w = clouds + change[0] * move, jnp.array([0.3, 0.7]) + change[1] * jnp.array([1.0, -1.0])
        found = barycenter(x, w, epsilon=0.5, tol=1e-8, max_steps=5000)
        points = found.points
        return jnp.array([points[:, 0].mean(), jnp.mean(points[:, 1] ** 2), points[3, 0]]), found

    program = jax.jit(made)
    assert program(jnp.zeros(2))[1].converged
    slopes = jax.jit(jax.jacrev(lambda change: made(change)[0]))(jnp.zeros(2))
    for i in range(2):
        ahead, behind = (program(jnp.zeros(2).at[i].set(s))[0] for s in (h, -h))
        # Ends are within some 1e-8 of the fixed point: differences are good to 1e-4 at worst.
        assert_allclose(slopes[:, i], (ahead - behind) / (2 * h), rtol=1e-4)
    # The mean of the barycenter is the mean of the means.
    assert_allclose(slopes[0, 1], clouds[0, :, 0].mean() - clouds[1, :, 0].mean(), rtol=1e-6)


def test_single_points_on_the_sphere_have_their_karcher_mean():
    points = Sphere(3).project(jnp.array([[1.0, 0.2, 0.1], [0.2, 1.0, 0.0], [0.0, 0.3, 1.0]]))
    weights = jnp.array([0.2, 0.3, 0.5])
    cost = SquaredGeodesic()
    eight = jnp.broadcast_to(points[:, None], (3, 8, 3))  # each eight times
    found = barycenter(eight, weights, cost=cost, epsilon=0.1, tol=1e-9, start=eight[0])
    mean, converged = jax.jit(cost.barycenter)(weights, points)
    assert found.converged and converged
    assert_allclose(found.points, np.broadcast_to(mean, (8, 3)), atol=1e-9)


CLOUDS = jax.random.normal(jax.random.key(1), (3, 12, 2)) + jnp.arange(3.0)[:, None, None]
SHARES = jnp.array([0.2, 0.3, 0.5])
MASSES = np.full((3, 12), 1 / 12)
MASSES[2] = np.r_[np.full(8, 1 / 8), np.zeros(4)]
# Sinkhorn's iteration ends within its first 300 steps, and no other way is compiled.
CLOSE = {"epsilon": 1.0, "tol": 1e-12, "max_iterations": 300}


@jax.jit
def moved(x, masses):
    return consensus_displacement(x, SHARES, masses=masses, **CLOSE)


@jax.jit
@jax.value_and_grad
def value(x, masses):
    return disagreement(x, SHARES, masses=masses, **CLOSE)


@pytest.mark.slow
def test_consensus_descends_the_disagreement():
    move, slope = moved(CLOUDS, MASSES), value(CLOUDS, MASSES)[1]
    held = np.asarray(SHARES)[:, None, None] * MASSES[..., None]
    assert_allclose(-2 * held * np.asarray(move), slope, atol=1e-11)

    @jax.jit
    def toward(y, b):
        return displacement(CLOUDS[0], y, None, b, **CLOSE)

    terms = [w * toward(y, b) for w, y, b in zip(SHARES, CLOUDS, MASSES, strict=True)]
    assert_allclose(move[0], sum(terms), atol=1e-11)


def test_equal_clouds_agree_and_single_points_have_a_variance():
    same, equal = jnp.broadcast_to(CLOUDS[0], CLOUDS.shape), jnp.full((3, 12), 1 / 12, float)
    assert_allclose(moved(same, equal), 0 * same, atol=1e-11)
    assert_allclose(value(same, equal)[0], 0, atol=1e-11)
    points, first = CLOUDS[:, 0], jnp.zeros((3, 12)).at[:, 0].set(1.0)
    middle = SHARES @ points
    variance = SHARES @ jnp.sum((points - middle) ** 2, axis=1)
    assert_allclose(value(CLOUDS, first)[0], variance, rtol=1e-12)
    assert_allclose(moved(CLOUDS, first)[:, 0], middle - points, atol=1e-12)


@jax.jit
def nearly_one(clouds):
    return barycenter(clouds, cost=SquaredGeodesic())


@pytest.mark.parametrize("spread", [0.0, 1e-6, 1e-5])
def test_barycenters_of_clouds_that_float32_can_hardly_tell_apart(spread):
    """Steps of a thousandth of sqrt(epsilon) would be below the rounding of points of length 1; the mean
    of the barycenter is that of the clouds, to some units of rounding."""
    sphere, normal = Sphere(3), jax.random.normal(jax.random.key(0), (2, 6, 3))
    clouds = jnp.array([0.3, -0.5, 0.8]) + spread * normal
    clouds = sphere.project(sphere.project(clouds).astype(jnp.float32))
    found = nearly_one(clouds)
    assert found.converged
    assert_allclose(found.points.mean(axis=0), clouds.mean(axis=(0, 1)), atol=5e-7)


@pytest.mark.slow
def test_the_debiased_displacement_beats_exact_transport_of_samples():
    """N(0, I) to N(m, S) in the plane, n = 600: rms error against the optimal map, over six samples."""
    from meanfield.transport.exact._host_solvers import assign

    shift, cov = jnp.array([1.0, -0.5]), jnp.array([[0.7, 0.2], [0.2, 0.4]])
    brenier = symmetric_root(cov)  # from N(0, I) to N(0, S)
    found = []
    for seed in range(6):
        x, y = (jax.random.normal(key, (600, 2)) for key in jax.random.split(jax.random.key(seed)))
        exact, y = shift + x @ brenier - x, shift + y @ brenier
        plan = assign(jnp.sum((x[:, None] - y) ** 2, axis=-1))
        moves = (
            displacement(x, y, epsilon=1.0, tol=1e-5),
            y[plan.columns] - x,
            displacement(x, y, epsilon=1.0, debiased=False, tol=1e-5),
        )
        found.append([jnp.sum((move - exact) ** 2, axis=1).mean() for move in moves])
    debiased, matched, blurred = jnp.sqrt(jnp.mean(jnp.array(found), axis=0))
    # Measured: .105, .174 and .291; a sample's own mean and covariance are off by about .1 too, and
    # single samples vary from .06 to .13.
    assert debiased <= 0.11 and debiased < 0.75 * matched and matched < blurred


def test_a_step_is_told_from_rounding_in_the_unit_of_the_clouds():
    """Four roundings of the root mean square of all points, sqrt(3/4 (9/10 5^2 + 0) + 1/4 10^2)."""
    x = np.array([[[3.0, 4.0], [0.0, 0.0]], [[6.0, 8.0], [0.0, 10.0]]])
    masses, shares = np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([0.75, 0.25])
    models = Models(*map(jnp.asarray, (x, masses, shares)), None, Sphere(2), jnp.ones(()))
    exact = 4 * np.finfo(float).eps * np.sqrt(0.75 * 0.9 * 25 + 0.25 * 100)
    assert_allclose(rounding(models), exact, rtol=1e-14)
