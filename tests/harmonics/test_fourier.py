import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.harmonics import Fourier

BASIS = Fourier(12)


def test_harmonics_are_cosines_and_sines_in_the_order_promised():
    theta = jnp.linspace(0.0, 6.0, 17)
    x = jnp.stack([jnp.cos(theta), jnp.sin(theta)], 1)
    table = jax.vmap(lambda c: BASIS.evaluate(c, x))(jnp.eye(BASIS.size))
    np.testing.assert_allclose(table[0], 1, rtol=1e-15)
    for j in (1, 5, 12):
        # The angle theta has a relative error eps, the angle j theta the error j theta eps.
        np.testing.assert_allclose(table[2 * j - 1], np.sqrt(2) * np.cos(j * theta), atol=1e-13)
        np.testing.assert_allclose(table[2 * j], np.sqrt(2) * np.sin(j * theta), atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("degree", [2, 32, 33])
def test_transforms_by_a_matrix_and_by_ffts_are_sums_over_modes(degree, dtype):
    """Up to degree 32 by a matrix, beyond by FFTs: both are the sums written out, in any batch."""
    basis = Fourier(degree)
    coeffs = np.random.default_rng(0).normal(size=(2, 3, basis.size)).astype(dtype)
    q, j = len(basis.nodes), np.arange(1, degree + 1)
    assert q >= 3 * degree + 1
    theta = 2 * np.pi * np.arange(q) / q
    waves = np.exp(1j * np.outer(j, theta))
    values = coeffs[..., :1] + np.sqrt(2) * (
        coeffs[..., 1::2] @ waves.real + coeffs[..., 2::2] @ waves.imag
    )
    rounding = 4 * degree * float(np.finfo(dtype).eps)
    found = basis.synthesize(coeffs)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, values, atol=rounding)
    back = basis.analyze(values.astype(dtype))
    assert back.dtype == dtype
    np.testing.assert_allclose(back, coeffs, atol=rounding)
    # What the nodes do not resolve counts as nothing: the mode after the last one.
    beyond = np.cos((degree + 1) * theta).astype(dtype)
    np.testing.assert_allclose(basis.analyze(beyond), 0, atol=rounding)


@pytest.mark.parametrize("t", [0.05, 0.3])
def test_heat_kernel_is_the_wrapped_gaussian(t):
    basis = Fourier(32)
    pole = jnp.array([[1.0, 0.0]])
    density = basis.synthesize(basis.heat(basis.moments(pole), t))
    turns = np.asarray(basis.nodes)[:, None] + 2 * np.pi * np.arange(-6, 7)
    wrapped = 2 * np.pi / np.sqrt(4 * np.pi * t) * np.exp(-(turns**2) / (4 * t)).sum(1)
    # The degrees left out carry e^{-33^2 t} < 1e-23.
    np.testing.assert_allclose(density, wrapped, atol=1e-13)


def test_divergence_of_a_product_written_out():
    # rho = 1 + cos(theta), phi = sin(2 theta): (rho phi')' = -4 sin 2t - sin t - 3 sin 3t.
    theta = BASIS.nodes
    got = BASIS.divergence(BASIS.analyze(1 + jnp.cos(theta)), BASIS.analyze(jnp.sin(2 * theta)))
    expected = -4 * jnp.sin(2 * theta) - jnp.sin(theta) - 3 * jnp.sin(3 * theta)
    np.testing.assert_allclose(BASIS.synthesize(got), expected, atol=1e-13)


def test_the_force_of_softmax_attention_needs_24_modes():
    # grad of sum_j w_j e^{beta <x, x_j>} at beta = 5, against the direct sum over the cloud.
    beta, basis = 5.0, Fourier(24)
    theta = jax.random.uniform(jax.random.key(1), (50,), maxval=2 * jnp.pi)
    x = jnp.stack([jnp.cos(theta), jnp.sin(theta)], 1)
    a = basis.multipliers(lambda t: jnp.exp(beta * (t - 1)))
    force = basis.gradient(basis.convolve(basis.moments(x), a), x)
    kernel = jnp.exp(beta * (x @ x.T - 1))
    direct = beta * kernel @ x / 50
    direct = direct - jnp.sum(direct * x, 1, keepdims=True) * x
    np.testing.assert_allclose(force, direct, atol=1e-13)


def test_points_of_another_space_are_refused():
    with pytest.raises(ValueError, match=r"unit vectors of shape \[n, 2\]"):
        BASIS.evaluate(jnp.ones(BASIS.size), jnp.ones((4, 3)))


@pytest.mark.slow
def test_moments_of_a_million_points_are_cheap():
    x = jnp.tile(jnp.array([[0.6, 0.8]]), (1_000_000, 1))
    # A sum of n equal terms in blocks is exact to about sqrt(n) roundings.
    np.testing.assert_allclose(
        jax.jit(BASIS.moments)(x), BASIS.moments(x[:1]), atol=1e3 * np.finfo(float).eps
    )
