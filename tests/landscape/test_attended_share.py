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
