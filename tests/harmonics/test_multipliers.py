"""The Funk-Hecke formula for e^{beta(t - 1)}, against Bessel functions and their power series."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammaln, ive

from meanfield.harmonics import Fourier, Gegenbauer, SphericalHarmonics


def exact(d, beta, degrees):
    """a_k = e^-beta (beta/2)^k / (d/2)_k 0F1(k + d/2; beta^2/4), all terms positive, in numpy's
    extended precision, which also has the range that e^beta and a_k need."""
    beta, out = np.longdouble(beta), []
    for k in degrees:
        j = np.arange(1, 2000).astype(np.longdouble)
        head = np.prod(beta / 2 / (np.longdouble(d) / 2 + np.arange(k)))
        out.append(head * (1 + np.cumprod((beta / 2) ** 2 / (j * (d / 2 + k + j - 1))).sum()))
    return (np.array(out) * np.exp(-beta)).astype(float)


@pytest.mark.parametrize("d", [2, 3, 8, 64, 768])
@pytest.mark.parametrize("beta", [0.1, 10.0, 200.0, 1000.0])
def test_against_the_power_series(d, beta):
    degrees = [0, 1, 2, 5, 16, 64]
    a = Gegenbauer(d, 64).multipliers(lambda t: jnp.exp(beta * (t - 1)))
    reference = exact(d, beta, degrees)
    # beta (t - 1) has the error beta eps / 2 at each node where t was rounded; the nodes average it.
    atol = (1e-15 + beta * np.finfo(float).eps / 4) * reference[0]
    np.testing.assert_allclose(np.asarray(a)[degrees], reference, rtol=0, atol=atol)


@pytest.mark.parametrize("d", [2, 3, 8])
def test_against_the_bessel_formula(d):
    beta, k = 30.0, np.arange(17)
    a = Gegenbauer(d, 16).multipliers(lambda t: jnp.exp(beta * (t - 1)))
    reference = np.exp(gammaln(d / 2)) * (2 / beta) ** (d / 2 - 1) * ive(k + d / 2 - 1, beta)
    # scipy states a relative error of a few 1e-15 for ive, and the gamma function adds as much.
    np.testing.assert_allclose(a, reference, rtol=0, atol=2e-14 * reference[0])


def test_every_basis_spreads_the_same_numbers_over_its_coefficients():
    kernel = lambda t: jnp.exp(3 * (t - 1))
    for basis, d in ((Fourier(6), 2), (SphericalHarmonics(6), 3)):
        expected = Gegenbauer(d, 6).multipliers(kernel)[basis.degrees]
        np.testing.assert_array_equal(basis.multipliers(kernel), expected)


def test_derivative_in_beta_is_the_multiplier_of_the_derivative():
    basis = Gegenbauer(8, 16)
    a = lambda beta: basis.multipliers(lambda t: jnp.exp(beta * (t - 1)))
    slope = jax.jacrev(a)(jnp.asarray(20.0))
    expected = basis.multipliers(lambda t: (t - 1) * jnp.exp(20.0 * (t - 1)))
    np.testing.assert_allclose(slope, expected, rtol=1e-12, atol=1e-18)


def test_polynomial_profiles_are_reproduced():
    # t^2 = 1/d + (1 - 1/d) P_2, so a_0 = 1/d and a_2 = (1 - 1/d) / N(d, 2), N = d(d + 1)/2 - 1.
    d = 5
    expected = [1 / d, 0, (1 - 1 / d) / (d * (d + 1) / 2 - 1), 0, 0]
    # One node more than the degree suffices: 5 integrate t^2 P_4 exactly.
    for resolution in (1, 512):
        a = Gegenbauer(d, 4).multipliers(lambda t: t**2, resolution=resolution)
        np.testing.assert_allclose(a, expected, atol=1e-15)
