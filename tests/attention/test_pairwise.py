"""Kernels of pairs: one method, and sums by blocks, derivatives and refusals follow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from unit_vectors import unit_vectors

from meanfield import _memory
from meanfield.attention import MultiHead, Relu, Softmax
from meanfield.dynamics import AttentionFlow, FokkerPlanck
from meanfield.energies import Pairwise
from meanfield.geometry import Sphere
from meanfield.harmonics import Fourier

X, Y = unit_vectors(0, 7, 3), unit_vectors(1, 5, 3)
W = jnp.array([0.1, 0.4, 0.2, 0.05, 0.25])
V = jnp.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0], [0.5, 0.0, 1.0]])


def by_hand(x, y, w, v):
    """The sum, pair by pair."""
    x, y, w, v = (np.asarray(a) for a in (x, y, w, v))
    rows = [sum(w[j] * max(p @ y[j], 0) * (v @ y[j]) for j in range(len(y))) for p in x]
    return np.stack(rows)


def test_the_field_is_the_sum_over_pairs():
    np.testing.assert_allclose(Relu(V)(X, Y, W), by_hand(X, Y, W, V), atol=1e-15)
    uniform = np.full(7, 1 / 7)
    np.testing.assert_allclose(Relu()(X), by_hand(X, X, uniform, np.eye(3)), atol=1e-15)


def test_blocks_change_neither_field_nor_gradient(monkeypatch):
    x = unit_vectors(2, 300, 3)  # more than a block, and no multiple of one
    loss = lambda x: jnp.sum(Relu(V)(x, Y, W) ** 2)
    whole = jax.jit(jax.value_and_grad(loss))(x)
    monkeypatch.setattr(_memory, "LARGEST_DENSE", 8)
    blocks = jax.jit(jax.value_and_grad(lambda x: loss(x)))(x)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(blocks), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def test_it_climbs_the_energy_of_its_kernel():
    # E = (1/2) sum w_i w_j relu(<x_i, x_j>)^2 / 2, whose gradient in x_i is w_i times the field.
    energy = Pairwise(lambda x, y: jax.nn.relu(x @ y) ** 2 / 2)
    n = len(X)
    gradient = n * jax.jit(jax.grad(lambda x: energy(x)))(X)
    np.testing.assert_allclose(gradient, Relu()(X), atol=1e-14)


@pytest.mark.parametrize("attention", [Relu(), MultiHead([Softmax(1.0), Relu()])])
def test_a_density_refuses_it_in_a_sentence(attention):
    with pytest.raises(
        ValueError, match="expected an attention with a mean field for a density, got Relu"
    ):
        FokkerPlanck(Fourier(8), attention, 0.1)
    AttentionFlow(Sphere(3), attention)
