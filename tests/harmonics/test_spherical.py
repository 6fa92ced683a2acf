import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import eval_legendre, sph_harm_y

from meanfield.geometry import Sphere
from meanfield.harmonics import Gegenbauer, SphericalHarmonics, meridian_waves

BASIS = SphericalHarmonics(6)
POLES = jnp.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])


def cloud(n=30):
    return jnp.concatenate([POLES, Sphere(3).sample(jax.random.key(3), n - 2)])


def table(x):
    return jax.vmap(lambda c: BASIS.evaluate(c, x))(jnp.eye(BASIS.size))


def test_waves_along_a_meridian_are_the_harmonics_of_scipy():
    waves, theta = meridian_waves(5), np.linspace(0.1, 3.0, 7)
    k = np.arange(-5, 6)
    for m in range(6):
        for degree in range(m, 6):
            # Odd in theta for odd m: -i times the series.
            sums = (-1j) ** (m % 2) * (np.exp(1j * theta[:, None] * k) @ waves[m, degree])
            norm = np.sqrt(4 * np.pi * (1 + (m > 0))) * (-1) ** m
            exact = norm * sph_harm_y(degree, m, theta, 0).real
            np.testing.assert_allclose(sums.real, exact, atol=1e-13)
            np.testing.assert_allclose(sums.imag, 0, atol=1e-14)
        assert not waves[m, :m].any()


def test_harmonics_agree_with_scipy():
    x = np.asarray(cloud())
    values = np.asarray(table(cloud()))
    theta, phi = np.arccos(x[:, 2]), np.arctan2(x[:, 1], x[:, 0])
    for degree in range(7):
        for m in range(-degree, degree + 1):
            # scipy's are complex, of norm 1 for the area, and carry the factor (-1)^m.
            y = (-1) ** m * np.sqrt(4 * np.pi) * sph_harm_y(degree, abs(m), theta, phi)
            real = y.real if m == 0 else np.sqrt(2) * (y.real if m > 0 else y.imag)
            np.testing.assert_allclose(values[degree**2 + degree + m], real, atol=1e-13)


def test_degree_one_is_the_coordinates():
    x = cloud()
    np.testing.assert_allclose(table(x)[1:4], np.sqrt(3) * x[:, [1, 2, 0]].T, atol=1e-15)


def test_addition_theorem():
    x = cloud()
    values = table(x)
    cosine = np.clip(np.asarray(x @ x.T), -1, 1)
    for degree in (1, 4, 6):
        part = values[degree**2 : (degree + 1) ** 2]
        expected = (2 * degree + 1) * eval_legendre(degree, cosine)
        np.testing.assert_allclose(part.T @ part, expected, atol=1e-12)


def test_gradients_at_the_poles_are_finite_and_right():
    # Y_11 = sqrt3 x and Y_1,-1 = sqrt3 y have the gradients sqrt3 e_x and sqrt3 e_y at both poles.
    for index, axis in ((3, 0), (1, 1)):
        got = BASIS.gradient(jnp.eye(BASIS.size)[index], POLES)
        np.testing.assert_allclose(got, np.sqrt(3) * np.eye(3)[[axis, axis]], atol=1e-14)
    second = jax.jacrev(lambda x: BASIS.gradient(jnp.ones(BASIS.size), x))(POLES)
    assert bool(jnp.isfinite(second).all())


def test_rotations_keep_the_power_of_each_degree():
    rotation = jnp.linalg.qr(jax.random.normal(jax.random.key(5), (3, 3)))[0]
    x = cloud()
    power = lambda x: np.bincount(BASIS.degrees, BASIS.moments(x) ** 2)
    np.testing.assert_allclose(power(x @ rotation.T), power(x), rtol=1e-12, atol=1e-14)


def test_a_zonal_function_is_the_gegenbauer_one():
    zonal = Gegenbauer(3, 6)
    c = jax.random.normal(jax.random.key(7), (7,))
    index = np.arange(7) * np.arange(1, 8)
    spread = jnp.zeros(BASIS.size).at[index].set(c)
    x = cloud()
    np.testing.assert_allclose(BASIS.evaluate(spread, x), zonal.evaluate(c, x[:, 2]), atol=1e-13)
    np.testing.assert_allclose(
        BASIS.divergence(spread, spread)[index], zonal.divergence(c, c), atol=1e-11
    )


def test_divergence_of_any_field_is_taken():
    # A rotation about an axis has no divergence, and is no gradient; x e_z-tangent has -2 z.
    x = BASIS.nodes
    axis = jnp.array([1.0, -2.0, 0.5])
    spin = BASIS.node_divergence(jnp.cross(axis, x))
    np.testing.assert_allclose(spin, 0, atol=1e-13)
    lift = BASIS.node_divergence(jnp.array([0.0, 0.0, 1.0]) - x[:, 2:] * x)
    np.testing.assert_allclose(BASIS.synthesize(lift), -2 * x[:, 2], atol=1e-13)


def test_blocks_of_points_add_up():
    # 2^18 / 7 points a block: two blocks and a rest.
    n = 80_000
    x = np.random.default_rng(9).normal(size=(n, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    degree_two = np.sqrt(5.0) / 2 * (3 * x[:, 2] ** 2 - 1)
    got = jax.jit(BASIS.moments)(jnp.asarray(x))
    np.testing.assert_allclose(got[6], degree_two.mean(), atol=1e-13)
    values = jax.jit(BASIS.evaluate)(jnp.eye(BASIS.size)[6], jnp.asarray(x))
    np.testing.assert_allclose(values, degree_two, atol=1e-13)


@pytest.mark.parametrize("degree", [32, pytest.param(128, marks=pytest.mark.slow)])
def test_round_trip_at_high_degree(degree):
    basis = SphericalHarmonics(degree)
    c = jax.random.normal(jax.random.key(11), (basis.size,))
    np.testing.assert_allclose(basis.analyze(basis.synthesize(c)), c, atol=1e-13)


def test_points_of_another_space_are_refused():
    for method in (BASIS.evaluate, BASIS.gradient):
        with pytest.raises(ValueError, match=r"unit vectors of shape \[n, 3\]"):
            method(jnp.ones(BASIS.size), jnp.ones((4, 2)))
