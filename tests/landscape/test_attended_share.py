"""The share of attention that falls on one key in long contexts, against closed forms."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.integrate import quad
from scipy.special import exp1

from meanfield.landscape import attended_share


@pytest.mark.parametrize("scale", [0.25, 1.0, 2.0, 8.0])
def test_on_s2_it_is_an_integral_of_known_functions(scale):
    """There N(u) = u/(2 scale), psi = N(Ein(e^z)) with Ein = E_1 + log + gamma, p = N'(1 - (1 + t) e^-t)."""
    c = 1 / (2 * scale)

    def integrand(z):
        t = math.exp(z)
        ein = exp1(t) + z + np.euler_gamma if t > 1e-7 else t  # its series, to second order
        return math.exp(-c * ein) * c * (1 - (1 + t) * math.exp(-t))

    # Beyond z = 20 the integrand is c e^{-c (z + gamma)}, up to e^{-e^20}.
    want = quad(integrand, -30, 20, epsabs=1e-13, limit=400)[0] + math.exp(
        -c * (20 + np.euler_gamma)
    )
    np.testing.assert_allclose(attended_share(scale, 3), want, atol=1e-11)


@pytest.mark.parametrize(
    # From a prototype of the same integral by the trapezoidal rule, up to z = 4000: it lacks
    # e^-N(4000) = 1.2e-4 of the first.
    ("d", "scale", "want", "tolerance"),
    [(2, 10.0, 0.97764 + 1.2e-4, 1e-5), (3, 1.0, 0.63526, 5e-6), (5, 1.0, 0.14648, 5e-6)],
)
def test_known_values(d, scale, want, tolerance):
    np.testing.assert_allclose(attended_share(scale, d), want, atol=tolerance)


@pytest.mark.parametrize("d", [4, 5, 8, 20])
def test_two_keys_share_rarely_where_scales_are_large(d):
    """From the best key, at N(z) = v of law e^-v, the next is at a distance h at the rate N'(z), where 1 less
    the sum of squares is 2 e^-h/(1 + e^-h)^2, of integral 1: 1 - share = E N' = m/2 C^{2/m} Gamma(2 - 2/m).
    """
    m, scale = d - 1, 1e6
    c = math.gamma(d / 2) / math.gamma(m / 2) / math.sqrt(math.pi) / m
    want = m / 2 * c ** (2 / m) * 2 / scale * math.gamma(2 - 2 / m)
    np.testing.assert_allclose(
        1 - attended_share(scale, d), want, rtol=1e-4
    )  # by far the first order
    # Ever larger scales leave ever less: of z to 10^18 no difference is lost.
    assert 0.999 < attended_share(1e4, 2) < attended_share(1e8, 2) < 1
    assert attended_share(1e-8, 100) == 0  # below e^-90, where its powers overflow


def test_many_keys_share_as_their_mean_numbers_say():
    # int e^-2u dN/(int e^-u dN)^2 = 2^{-m/2}/(C Gamma(1 + m/2)), up to shares of itself.
    for d in (4, 7):
        m, scale = d - 1, 0.01
        c = math.gamma(d / 2) / math.gamma(m / 2) / math.sqrt(math.pi) / m * (2 / scale) ** (m / 2)
        want = 2 ** (-m / 2) / (c * math.gamma(1 + m / 2))
        assert want < 2e-3
        np.testing.assert_allclose(attended_share(scale, d), want, rtol=5 * want)


def test_precision_is_that_of_the_scale_and_bad_ones_are_refused():
    assert attended_share(jnp.float32(1.0), 3).dtype == jnp.float32
    check_refused(lambda: attended_share(0.0, 3), "pass scale=1.0")
    check_refused(lambda: attended_share(1.0, 1), "pass d=2")
    check_refused(lambda: jax.jit(lambda s: attended_share(s, 3))(1.0), "outside of jit")
