"""Growth about the uniform law, against Bessel functions and published numbers."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.special import gammaln, ive

from meanfield.attention import Softmax, Unnormalized
from meanfield.harmonics import Gegenbauer
from meanfield.landscape import critical_noise, fastest_mode, growth_rates, tricritical_beta

DEGREE, BETA, NOISE = 12, 5.0, 0.3


def multipliers(d, beta):
    """a_k of e^{beta t} and lambda_k."""
    k = np.arange(DEGREE + 1)
    scale = np.exp(gammaln(d / 2) + (d / 2 - 1) * np.log(2 / beta) + beta)
    return scale * ive(k + d / 2 - 1, beta), k * (k + d - 2)


@pytest.mark.parametrize(
    "d", [2, pytest.param(3, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow), 64]
)
def test_rates_are_those_of_the_kernel(d):
    a, eigenvalues = multipliers(d, BETA)
    for attention, s in ((Unnormalized(BETA), a / BETA), (Softmax(BETA), a / a[0] / BETA)):
        rates = growth_rates(attention, d, NOISE, DEGREE)
        # 10 digits of the largest of the rates: measured 1e-15, but scipy promises less of ive.
        largest = np.abs(eigenvalues * s).max()
        np.testing.assert_allclose(
            rates, eigenvalues * (s - NOISE), rtol=1e-10, atol=1e-10 * largest
        )
        assert rates[0] == 0


def test_critical_noise_and_its_derivative():
    value, slope = jax.value_and_grad(lambda b: critical_noise(Softmax(b), 3))(jnp.asarray(BETA))
    # On S^2 the softmax threshold is (coth beta - 1/beta)/beta.
    langevin = 1 / np.tanh(BETA) - 1 / BETA
    np.testing.assert_allclose(value, langevin / BETA, rtol=1e-12)
    exact = (1 / BETA**2 - 1 / np.sinh(BETA) ** 2) / BETA - langevin / BETA**2
    np.testing.assert_allclose(slope, exact, rtol=1e-11)


def test_repulsion_never_clusters():
    repulsion = Softmax(2.0, value=-jnp.eye(3))
    assert critical_noise(repulsion, 3) < 1e-15  # rounding, of degrees that the kernel lacks
    assert fastest_mode(repulsion, 3) == 0
    assert fastest_mode(Softmax(2.0), 3, noise=10.0) == 0


def test_number_of_first_clusters_on_the_circle():
    known = {1: 1, 2: 2, 4: 3, 5: 3, 7: 4, 10: 4, 20: 6, 50: 10, 100: 14}
    # The published crossovers 1 -> 2 -> 3 at beta = 1.0445 and 3.1654, to their last digit.
    known |= {1.0444: 1, 1.0446: 2, 3.1653: 2, 3.1655: 3}
    modes = jax.vmap(lambda beta: fastest_mode(Unnormalized(beta), 2))(jnp.array([*known], float))
    assert modes.tolist() == list(known.values())


def test_too_few_degrees_are_refused():
    check_refused(lambda: fastest_mode(Unnormalized(100.0), 2, max_degree=8), "raise max_degree")
    with pytest.raises(ValueError, match="without query"):
        growth_rates(Softmax(1.0, query=jnp.eye(3), key=jnp.eye(3)), 3, 0.0, 4)


@pytest.mark.parametrize(("d", "printed"), [(2, 2.44692), (3, 1.81615), (8, 1.26655), (768, None)])
def test_tricritical_beta(d, printed):
    beta = tricritical_beta(d)
    a = eqx.filter_jit(Gegenbauer(d, 2).multipliers)(lambda t: jnp.exp(beta * (t - 1)))
    # a_2 is accurate to 1e-15 of a_0, and is about a_0/d^2.
    np.testing.assert_allclose(a[2] / a[1], 1 / d, rtol=1e-14 * d**2)
    assert printed is None or abs(beta - printed) < 6e-6


def test_tricritical_beta_needs_a_sphere():
    check_refused(lambda: tricritical_beta(1), "integer >= 2")
