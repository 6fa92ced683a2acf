"""Models of the next character: their losses, causal Sinkhorn heads, and what these tell of the future."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.latents.training import (
    Batch,
    last_loss,
    next_loss,
    next_losses,
    tiny_transformer,
    train,
)
from meanfield.studies import CausalCharacters

KINDS = {"softmax": None, "sinkhorn": 3, "prefixes": 3}
N = 6


@pytest.fixture(scope="module")
def models():
    def tiny(kind):
        model = tiny_transformer(
            jax.random.key(1), KINDS[kind], d=8, depth=1, heads=2, longest=N, causal=True,
            prefixes=kind == "prefixes",
        )  # fmt: skip
        return jax.tree.map(
            lambda a: a.astype(jnp.float64) if eqx.is_inexact_array(a) else a, model
        )

    return {kind: tiny(kind) for kind in KINDS}


IDS = np.random.default_rng(0).integers(96, size=(2, N))
SEEN = Batch(IDS, np.zeros_like(IDS, bool))


@pytest.mark.parametrize("kind", [pytest.param("softmax", marks=pytest.mark.slow), "sinkhorn"])
def test_the_loss_is_that_of_the_next_character(models, kind):
    model, want = models[kind], np.zeros((2, N - 1))
    for row, ids in enumerate(IDS):
        logits = np.asarray(model.logits(model.states(jnp.asarray(ids[:-1]))[-1]))
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        want[row] = [-logs[k, ids[k + 1]] for k in range(N - 1)]
    np.testing.assert_allclose(next_losses(model, SEEN), want.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(next_loss(model, SEEN), want.mean(), rtol=1e-12)
    np.testing.assert_allclose(last_loss(model, SEEN), want[:, -1].mean(), rtol=1e-12)


def test_causal_sinkhorn_heads_go_to_the_columns_of_uniform_attention(models):
    heads = jax.tree.map(lambda a: a[0], models["sinkhorn"].blocks.heads)
    x = np.random.default_rng(3).normal(size=(N, 8))
    columns = np.cumsum(1 / np.arange(N, 0, -1))[::-1]
    for head, got in enumerate(np.asarray(heads.weights(jnp.asarray(x)))):
        q, k = np.asarray(heads.query[head]), np.asarray(heads.key[head])
        w = np.tril(np.exp(x @ q.T @ k @ x.T / np.sqrt(len(q)))) * columns  # as g is against b
        w /= w.sum(axis=1, keepdims=True)
        for _ in range(3):
            w *= columns / w.sum(axis=0)
            w /= w.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(got, w, rtol=1e-10, atol=1e-300)


def test_heads_of_prefixes_draw_as_the_last_token_of_each(models):
    heads = jax.tree.map(lambda a: a[0], models["prefixes"].blocks.heads)
    x = np.random.default_rng(3).normal(size=(N, 8))
    weights = heads.weights(jnp.asarray(x))
    wrote = np.zeros((N, 8))
    for head, got in enumerate(np.asarray(weights)):
        q, k = np.asarray(heads.query[head]), np.asarray(heads.key[head])
        for i in range(1, N + 1):
            w = np.exp(x[:i] @ q.T @ k @ x[:i].T / np.sqrt(len(q)))
            w /= w.sum(axis=1, keepdims=True)
            for _ in range(3):
                w /= w.sum(axis=0)
                w /= w.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(got[i - 1], np.r_[w[-1], np.zeros(N - i)], rtol=1e-10)
        wrote += got @ x @ np.asarray(heads.value[head]).T @ np.asarray(heads.output[head]).T
    np.testing.assert_allclose(heads(jnp.asarray(x)), wrote, atol=1e-12)


def test_prefixes_need_causal_heads_that_iterate():
    for iterations, is_causal in ((None, True), (3, False)):
        with pytest.raises(ValueError, match=r"plans of prefixes.*pass causal=True, iterations=5"):
            tiny_transformer(
                jax.random.key(1), iterations, d=8, depth=1, causal=is_causal, prefixes=True
            )


def test_causal_softmax_tells_nothing_of_what_comes_behind_and_causal_sinkhorn_does(models):
    other = IDS.copy()
    other[:, -2] = (other[:, -2] + 1) % 96  # the last one that is seen
    changed = {}
    for kind, model in models.items():
        logits = [
            np.asarray(model.logits(model.states(jnp.asarray(ids[0, :-1]))[-1]))
            for ids in (IDS, other)
        ]
        changed[kind] = np.abs(logits[1] - logits[0]).max(axis=1)
    for kind in ("softmax", "prefixes"):
        np.testing.assert_allclose(changed[kind][:-1], 0, atol=1e-14)
    # All but the first place, which sees itself alone; by terms of the size of the weights, not of rounding.
    assert changed["sinkhorn"][0] < 1e-14 and changed["sinkhorn"][1:-1].min() > 1e-5


def test_prefixes_are_an_attention_of_the_study_which_others_are_not():
    assert len(CausalCharacters(attentions=("softmax", "prefixes")).cells()) == 12
    with pytest.raises(ValueError, match=r"expected attentions among .*prefixes.*got 'linear'"):
        CausalCharacters(attentions=("linear",))


@pytest.mark.slow
def test_training_of_the_next_character_lowers_its_loss():
    model = tiny_transformer(jax.random.key(1), None, d=8, depth=1, heads=2, longest=N, causal=True)
    text = np.tile(np.arange(4), 20)  # what comes next is known
    found = [*train(model, text, 60, 3e-2, batch=4, saves=1, loss=next_loss)]
    seen = Batch(text[:N][None], np.zeros((1, N), bool))
    before, after = (float(next_loss(one.model, seen)) for one in found)
    # From log 97 + 1/2 to less than frequencies alone can tell, log 4.
    assert after < np.log(4) < 3.5 < before
