"""Saddles of a network's potential and of the Sinkformer's energy, in closed form."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from unit_vectors import unit_vectors

from meanfield.energies import Potential, Sinkformer
from meanfield.landscape import saddle


def even_network():
    """V(x) = sum_i i (softplus(x_i) + softplus(-x_i)), of one hidden layer."""
    mlp = eqx.nn.MLP(3, "scalar", 6, 1, activation=jax.nn.softplus, key=jax.random.key(0))
    weights = jnp.concatenate([jnp.eye(3), -jnp.eye(3)])
    parts = lambda m: [m.layers[0].weight, m.layers[0].bias, m.layers[1].weight, m.layers[1].bias]
    values = [weights, jnp.zeros(6), jnp.tile(jnp.arange(1.0, 4.0), 2)[None], jnp.zeros(1)]
    return eqx.tree_at(parts, mlp, values)


@pytest.mark.slow
def test_saddles_of_a_network():
    """At e_i the energy grows along e_j at j/2 - i tanh(1/2): index 0, 1, 2 at the three axes."""
    energy, x0 = Potential(even_network()), unit_vectors(3, 1, 3)
    for index in range(3):
        found = saddle(energy, x0, index)
        assert found.index == index and found.orbit == 0
        np.testing.assert_allclose(np.abs(found.x[0]), np.eye(3)[index], atol=1e-12)
        others = [j for j in (1, 2, 3) if j != index + 1]
        rates = [(index + 1) * np.tanh(0.5) - j / 2 for j in others]
        np.testing.assert_allclose(found.rates, np.sort(rates)[::-1], atol=1e-12)


@pytest.mark.slow
def test_antipodes_under_doubly_stochastic_attention():
    """Each gives the other the weight 1/(1 + e^{2 beta}), and is drawn to it at twice beta times that."""
    beta = 1.5
    x0 = unit_vectors(5, 1, 3)
    x0 = jnp.concatenate([x0, -x0]) + 0.05 * unit_vectors(6, 2, 3)
    x0 = x0 / jnp.linalg.norm(x0, axis=1, keepdims=True)
    found = saddle(-Sinkformer(beta, tol=1e-13), x0, 2)
    assert found.index == 2 and found.orbit == 2
    np.testing.assert_allclose(found.x[0], -found.x[1], atol=1e-9)
    rate = 2 * beta / (1 + np.exp(2 * beta))
    np.testing.assert_allclose(found.rates, [rate, rate, 0, 0], atol=1e-9)
