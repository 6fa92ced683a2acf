"""Products of geometries, and tokens that carry a position, against what their factors do alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

import meanfield as mf
from meanfield.attention import L2, Softmax
from meanfield.dynamics import AttentionFlow, BarycenterPull, ConsensusFlow, Drift
from meanfield.geometry import Euclidean, Product, Sphere

PLACED, RING = Product(Sphere(3), Euclidean(1)), Product(Sphere(3), Sphere(2))
TURN = 2 * np.pi


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(3)
    u, v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.normal(size=(2, 6, 3)))
    s, r = rng.normal(size=(2, 6, 1))
    return tuple(jnp.asarray(a) for a in (u, v, s, r))


def test_each_part_does_as_it_does_alone(pairs):
    u, v, s, r = pairs
    x, y = PLACED.join(u, s), PLACED.join(v, r)
    np.testing.assert_allclose(PLACED.project(PLACED.join(3 * u, s)), x, atol=1e-15)
    tangent = PLACED.log(x, y)
    np.testing.assert_array_equal(tangent, jnp.concatenate([Sphere(3).log(u, v), r - s], axis=1))
    np.testing.assert_allclose(PLACED.exp(x, tangent), y, atol=4e-15)
    np.testing.assert_array_equal(PLACED.to_tangent(x, y)[:, :3], Sphere(3).to_tangent(u, v))
    np.testing.assert_array_equal(PLACED.mean_curvature(x), PLACED.join(-2 * u, 0 * s))
    # In flat space nothing turns on the way; on the sphere the way itself stays one's own.
    moved = PLACED.transport(x, tangent, tangent)
    np.testing.assert_allclose(moved[:, :3], -Sphere(3).log(v, u), atol=1e-14)
    np.testing.assert_array_equal(moved[:, 3:], r - s)
    vectors = PLACED.split(PLACED.to_tangent(x, y))
    np.testing.assert_allclose(vectors[0], Sphere(3).to_tangent(u, v), atol=1e-15)


def test_each_of_three_parts_stays_in_its_place():
    three = Product(Sphere(3), Euclidean(1), Sphere(2))
    parts = jnp.array([[0.0, 0.6, 0.8]]), jnp.array([[2.5]]), jnp.array([[0.28, 0.96]])
    x = three.join(*parts)
    for k, part in enumerate(parts):
        np.testing.assert_array_equal(three.split(x)[k], part)
        np.testing.assert_array_equal(x @ three.selector(k).T, part)


def test_distances_are_those_of_pythagoras(pairs):
    u, v, s, r = pairs
    angle = np.arccos(np.sum(np.asarray(u * v), axis=1))
    expected = np.hypot(angle, np.abs(np.asarray(r - s))[:, 0])
    x, y = PLACED.join(u, s), PLACED.join(v, r)
    np.testing.assert_allclose(PLACED.distance(x, y), expected, rtol=1e-12)
    # At coincident points the Hessian of the square is 2 on every tangent vector.
    hessian = jax.jit(jax.hessian(lambda z: PLACED.distance(z, x[0]) ** 2))(x[0])
    tangent = np.eye(4)
    tangent[:3, :3] -= np.outer(u[0], u[0])
    np.testing.assert_allclose(hessian, 2 * tangent, atol=1e-13)
    slope = jax.jit(jax.grad(PLACED.distance))(x[0], x[0])
    np.testing.assert_allclose(slope, 0, atol=1e-150)


def test_samples_have_independent_parts():
    u, s = PLACED.split(PLACED.sample(jax.random.key(0), 4000))
    # Var u_1 = 1/3, var s = 1: four standard errors of moments, of E s^2 as well.
    assert (np.abs(u.mean(0)) < 4 / np.sqrt(3 * 4000)).all() and abs(s.mean()) < 4 / np.sqrt(4000)
    assert (np.abs((u * s).mean(0)) < 4 / np.sqrt(3 * 4000)).all()
    assert abs((s**2).mean() - 1) < 4 * np.sqrt(2 / 4000)
    # Two equal factors are not given the same numbers.
    one, other = Product(Euclidean(1), Euclidean(1)).sample(jax.random.key(0), 4000).T
    assert abs((one * other).mean()) < 4 / np.sqrt(4000)


def test_attention_that_sees_directions_alone_leaves_places(pairs):
    u, _, s, _ = pairs
    see, t = PLACED.selector(0), jnp.array(0.0)
    flow = AttentionFlow(PLACED, Softmax(2.0, see, see, see.T @ see))
    # Off the sphere, where stages of a step are, as well.
    moved, still = PLACED.split(flow.drift(t, PLACED.join(1.5 * u, s), None))
    alone = AttentionFlow(Sphere(3), Softmax(2.0)).drift(t, 1.5 * u, None)
    np.testing.assert_allclose(moved, alone, atol=1e-15)
    np.testing.assert_array_equal(still, 0)


def test_places_that_see_places_spread_as_a_linear_flow(pairs):
    u, _, s, _ = pairs
    see = PLACED.selector(1)
    flow = AttentionFlow(PLACED, Softmax(0.0, see, see, see.T @ see))
    end = mf.simulate(flow, PLACED.join(u, s), jnp.array([0.0, 1.0]), tol=1e-10).final
    # All move by the mean, which itself grows as e^t.
    np.testing.assert_allclose(end[:, 3], s[:, 0] + (np.e - 1) * s.mean(), rtol=1e-8)
    np.testing.assert_allclose(end[:, :3], u, atol=1e-15)


def test_near_places_weigh_more_by_their_distance(pairs):
    u, _, s, _ = pairs
    see, beta, a = PLACED.selector(0), 2.0, 0.7
    both = jnp.diag(jnp.array([1.0, 1.0, 1.0, a]))
    drift = AttentionFlow(PLACED, L2(beta, both, both, see.T @ see)).drift
    logits = beta * u @ u.T - beta * a**2 * (s - s.T) ** 2 / 2
    mean = jax.nn.softmax(logits, axis=1) @ u
    found = drift(jnp.array(0.0), PLACED.join(u, s), None)
    np.testing.assert_allclose(found[:, :3], Sphere(3).to_tangent(u, mean), atol=1e-14)
    np.testing.assert_array_equal(found[:, 3], 0)


def test_a_twisted_ring_whose_window_is_made_of_places_unwinds_by_its_reduction():
    # z' = z (1 - z^2) (1 - mean cos q d) with weights e^{beta (z^2 + (1 - z^2) cos q d) + gamma cos d}.
    n, beta, gamma, z0 = 24, 1.5, 3.0, 0.2
    places = TURN * np.arange(n) / n
    s = np.sqrt(1 - z0**2)
    u = np.stack([s * np.cos(2 * places), s * np.sin(2 * places), np.full(n, z0)], axis=1)
    ring = np.stack([np.cos(places), np.sin(places)], axis=1)
    sees = jnp.diag(jnp.array([beta] * 3 + [gamma] * 2))
    see = RING.selector(0)
    flow = AttentionFlow(RING, Softmax(1.0, query=sees, value=see.T @ see))
    start = RING.join(jnp.asarray(u), jnp.asarray(ring))
    end = mf.simulate(flow, start, jnp.array([0.0, 3.0]), tol=1e-10).final

    def reduced(z):
        height = z**2 + (1 - z**2) * np.cos(2 * places)
        weights = np.exp(beta * height + gamma * np.cos(places))
        return z * (1 - z**2) * (1 - np.average(np.cos(2 * places), weights=weights))

    z, h = z0, 0.01
    for _ in range(300):  # fourth order: 1e-9
        k1 = reduced(z)
        k2 = reduced(z + h / 2 * k1)
        k3 = reduced(z + h / 2 * k2)
        z += h / 6 * (k1 + 2 * k2 + 2 * k3 + reduced(z + h * k3))
    np.testing.assert_allclose(end[:, 2], z, atol=1e-7)
    np.testing.assert_allclose(end[:, 3:], ring, atol=1e-14)
    assert z > 2 * z0


def test_noise_on_a_product_is_that_of_each_factor():
    # E <u, e> = e^{-2 nu t} on S^2 and var s = 2 nu t on the line.
    n, nu, t = 4000, 0.5, 0.8
    start = jnp.tile(jnp.array([[0.0, 0.0, 1.0, 0.0]]), (n, 1))
    still = Drift(PLACED, lambda x: 0 * x, noise=nu)
    run = mf.simulate(still, start, jnp.array([0.0, t]), key=jax.random.key(5), dt=0.05)
    u, s = PLACED.split(run.final)
    # The variance of <u, e> is at most 1/3 + bias (nu dt)^2; that of s^2 is 2 (2 nu t)^2.
    assert abs(u[:, 2].mean() - np.exp(-2 * nu * t)) < 4 / np.sqrt(3 * n)
    assert abs((s**2).mean() - 2 * nu * t) < 4 * 2 * nu * t * np.sqrt(2 / n)
    assert abs((u[:, 0] * s[:, 0]).mean()) < 4 / np.sqrt(2 * n)


def test_products_refuse_what_does_not_fit(pairs):
    u, _, s, _ = pairs
    with pytest.raises(ValueError, match=r"expected a list of geometries.*pass Product"):
        Product()
    check_refused(lambda: PLACED.project(u), "put the parts one after the other")
    check_refused(lambda: PLACED.join(s, u), "pass one a factor, in order")
    check_refused(lambda: PLACED.selector(2), "below 2 factors")
    check_refused(lambda: PLACED.check(PLACED.join(2 * u, s)), "expected unit vectors")
    with pytest.raises(ValueError, match="expected a Sphere for a normalization"):
        AttentionFlow(PLACED, Softmax(1.0), mf.dynamics.PreNorm())
    with pytest.raises(ValueError, match=r"distance\(x, y\) \*\* 2 of a product"):
        mf.transport.wasserstein(PLACED.join(u, s), PLACED.join(u, s), cost=PLACED)
    with pytest.raises(ValueError, match="on a sphere or in R"):
        two = ConsensusFlow([AttentionFlow(PLACED, Softmax(1.0))] * 2, 1.0, pull=BarycenterPull())
        mf.simulate(two, jnp.stack([PLACED.join(u, s)] * 2), jnp.array([0.0, 0.1]))


def test_float32_stays_float32(pairs):
    u, v, s, r = (a.astype(jnp.float32) for a in pairs)
    x, y = PLACED.join(u, s), PLACED.join(v, r)
    results = [PLACED.project(x), PLACED.to_tangent(x, y), PLACED.exp(x, y - x), PLACED.log(x, y)]
    results += [PLACED.distance(x, y), PLACED.check(x), PLACED.extend(lambda z: 2 * z, x)]
    assert all(result.dtype == jnp.float32 for result in results)


def test_what_lives_on_a_sphere_is_told_to_take_a_part():
    space = Product(Sphere(3), Euclidean(1))
    x = space.sample(jax.random.key(0), 3)
    for look in (mf.observables.clusters, lambda x: mf.viz.page(None, jnp.zeros(1), x[None])):
        check_refused(lambda look=look: look(x), "space.split(x)[0]")
