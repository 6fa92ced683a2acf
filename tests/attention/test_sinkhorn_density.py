"""Doubly stochastic attention of densities: growth about the uniform law, and clouds that sample it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammaln, ive

from meanfield.attention import Sinkhorn
from meanfield.harmonics import Fourier, Gegenbauer
from meanfield.landscape import critical_noise, growth_rates

BETA, NOISE, DEGREE = 5.0, 0.05, 6


@pytest.mark.parametrize("d", [2, 3, 8])
def test_growth_rates_are_those_of_the_kernel(d):
    # s_k = q_k / (beta (1 + q_k)) with q_k = a_k / a_0: forward mode through the fixed point, as the
    # PDE has it.
    k = np.arange(DEGREE + 1)
    a = np.exp(gammaln(d / 2) + (d / 2 - 1) * np.log(2 / BETA)) * ive(k + d / 2 - 1, BETA)
    q = a / a[0]
    exact = k * (k + d - 2) * (q / (BETA * (1 + q)) - NOISE)
    rates = growth_rates(Sinkhorn(BETA), d, NOISE, DEGREE)
    # The kernel e^{beta t} cut at degree 6 scales the uniform law exactly; 40 iterations leave 3^-40.
    np.testing.assert_allclose(rates[1:], exact[1:], rtol=1e-9)
    assert rates[0] == 0


def test_threshold_is_differentiable():
    noise = jax.jit(lambda beta: critical_noise(Sinkhorn(beta), 3, 8))
    value, slope = jax.value_and_grad(noise)(jnp.asarray(BETA))
    langevin = 1 / np.tanh(BETA) - 1 / BETA
    np.testing.assert_allclose(value, langevin / (BETA * (1 + langevin)), rtol=1e-12)
    step = 1e-5
    ahead, behind = (noise(BETA + s) for s in (step, -step))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-7)


def test_a_cloud_at_the_nodes_feels_what_its_density_does():
    circle = Fourier(24)
    coeffs = circle.analyze(1 + 0.6 * jnp.cos(circle.nodes) + 0.2 * jnp.sin(2 * circle.nodes))
    attention = Sinkhorn(3.0, value=-2.0 * jnp.eye(2), tol=1e-13)
    masses = circle.weights * circle.synthesize(coeffs)
    x = circle.points

    @jax.jit
    def all_of(coeffs):
        potential = attention.attraction(circle, coeffs, circle.coordinates(x))
        slope = circle.node_gradient(circle.analyze(potential))
        return attention(x, None, masses), attention.mean_field(circle, coeffs), slope

    field, mean, slope = map(np.asarray, all_of(coeffs))
    tangent = field - np.sum(field * x, axis=1, keepdims=True) * x
    np.testing.assert_allclose(tangent, mean, atol=1e-11)
    # The potential of the field: its derivative, by its expansion.
    np.testing.assert_allclose(slope, mean, atol=1e-9)


def test_a_negative_node_does_no_harm():
    basis = Gegenbauer(3, 4)
    coeffs = basis.analyze(1 + 1.1 * basis.nodes)
    assert basis.synthesize(coeffs).min() < 0
    field = jax.jit(lambda c: Sinkhorn(2.0).mean_field(basis, c))(coeffs)
    assert np.isfinite(field).all()
