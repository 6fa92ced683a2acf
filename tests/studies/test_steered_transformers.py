"""Pushes and divergences of three transformers against one layer after another, and SciPy's entropies."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import entropy
from small_models import write_llama

from meanfield.latents import read
from meanfield.studies.games._steered_transformers import (
    ASKED,
    Reader,
    _alike,
    _measured,
    _readers,
    _sizes,
)


def one_by_one(model, ids, place, pushes, sizes):
    """The logits at a place, with a push before each layer."""
    x = model.embed(ids)
    for layer in range(model.depth):
        x = x.at[place].add(pushes[layer] * jnp.float32(sizes[layer]))
        x = model.forward(x, layer, layer + 1)
    return model.logits(x[place][None])[0]


def llamas(tmp_path):
    """Three readers of one causal model, of texts of three lengths, each pushed at its last token."""
    model = read(write_llama(tmp_path / "a.gguf"))
    texts = [[1, 2, 3], [4, 4, 1, 5, 8], [9, 3, 2, 6]]
    return [Reader(model, jnp.asarray(ids), len(ids) - 1) for ids in texts]


@pytest.mark.slow
@pytest.mark.parametrize("real", [False, True])
def test_pushes_are_added_before_layers(real, tmp_path):
    """Also where readers of one model run side by side, and shorter texts are filled up."""
    readers = llamas(tmp_path) if real else _readers("")
    groups = _alike(readers)
    assert [one.numbers.tolist() for one in groups] == ([[0, 1, 2]] if real else [[0, 2], [1]])
    sizes = np.asarray(_sizes(groups))
    depth, d = readers[0].model.depth, readers[0].model.d
    pushes = 0.1 * jax.random.normal(jax.random.key(0), (3, depth, d), jnp.float32)
    laws = []
    for i, (model, ids, place) in enumerate(readers):
        assert real or place == ASKED
        plain = np.asarray(model.states(ids))
        np.testing.assert_allclose(sizes[i], np.linalg.norm(plain[:-1, place], axis=1), rtol=1e-5)
        pushed = eqx.filter_jit(one_by_one)(model, ids, place, pushes[i], sizes[i])
        logits = np.asarray(pushed, float)
        laws.append(np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum())
    exact = entropy(np.mean(laws, axis=0)) - np.mean([entropy(law) for law in laws])
    found = _measured(groups, jnp.asarray(sizes), pushes, jnp.float32(0.7))
    cost, divergence, effort = (float(number) for number in found)
    # float32, through some layers.
    assert divergence == pytest.approx(exact, rel=1e-4) and exact > 0.1
    assert effort == pytest.approx(float(np.sum(np.asarray(pushes) ** 2)) / 3, rel=1e-5)
    assert cost == pytest.approx(effort / 2 + 0.7 * divergence, rel=1e-5)
