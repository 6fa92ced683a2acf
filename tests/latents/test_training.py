"""Small transformers that are trained here: what they lose, what they see, what is kept of them."""

import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

import meanfield.latents as data
from meanfield.latents import read, trained
from meanfield.latents.models import Characters, write_masked
from meanfield.latents.training import (
    Batch,
    draw,
    masked_loss,
    parts_of_help,
    tiny_transformer,
    train,
    unigram_loss,
)

KINDS = {"softmax": None, "sinkhorn": 2}
# Sinkhorn's heads begin with softmax.
BOTH = [pytest.param("softmax", marks=pytest.mark.slow), "sinkhorn"]
N = 6


def tiny(kind, dtype=jnp.float64):
    model = tiny_transformer(jax.random.key(1), KINDS[kind], d=8, depth=1, heads=2, longest=N)
    return jax.tree.map(lambda a: a.astype(dtype) if eqx.is_inexact_array(a) else a, model)


def batch(seed=0):
    rng = np.random.default_rng(seed)
    hidden = np.zeros((2, N), bool)
    hidden[0, 1] = hidden[0, 4] = hidden[1, 0] = True
    return Batch(rng.integers(96, size=(2, N)), hidden)


@pytest.mark.parametrize("kind", BOTH)
def test_the_gradient_of_the_loss_is_that_of_finite_differences(kind):
    arrays, rest = eqx.partition(tiny(kind), eqx.is_inexact_array)
    leaves, tree = jax.tree.flatten(arrays)
    both = jax.jit(jax.value_and_grad(lambda a: masked_loss(eqx.combine(a, rest), batch())))
    rng = np.random.default_rng(0)
    # Some thousand parameters in all: a way of length about 1.
    way = tree.unflatten([0.02 * rng.normal(size=leaf.shape) for leaf in leaves])
    _, gradient = both(arrays)
    told = sum(np.vdot(a, b) for a, b in zip(*map(jax.tree.leaves, (gradient, way)), strict=True))
    h = 1e-4
    moved = lambda s: jax.tree.map(lambda a, v: jnp.asarray(np.asarray(a) + s * h * v), arrays, way)
    ends = [both(moved(s))[0] for s in (-1, 1)]
    # Central differences: h^2/6 times a third derivative, which may be some 100 times the first one.
    np.testing.assert_allclose((ends[1] - ends[0]) / (2 * h), told, rtol=1e-6)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("kind", BOTH)
def test_hidden_characters_are_not_seen_and_alone_count(kind):
    model, seen = tiny(kind), batch()
    logs = []
    for ids, hidden in zip(seen.ids, seen.hidden, strict=True):
        shown = np.where(hidden, 96, ids)
        logits = np.asarray(model.logits(model.states(jnp.asarray(shown))[-1]))
        logs.append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
    places = [(0, 1), (0, 4), (1, 0)]
    want = -np.mean([logs[k][i, seen.ids[k, i]] for k, i in places])
    np.testing.assert_allclose(masked_loss(model, seen), want, rtol=1e-12)
    other = seen.ids.copy()
    other[0, 1] = (other[0, 1] + 1) % 96  # a hidden character is another target, and seen by none
    np.testing.assert_array_equal(Batch(other, seen.hidden).shown, seen.shown)
    assert seen.shown[0, 1] == model.tokenizer.mask == 96


def test_sinkhorn_heads_take_so_many_iterations_after_softmax():
    heads = jax.tree.map(lambda a: a[0], tiny("sinkhorn").blocks.heads)
    x = np.random.default_rng(3).normal(size=(N, 8))
    for head, got in enumerate(np.asarray(heads.weights(jnp.asarray(x)))):
        q, k = np.asarray(heads.query[head]), np.asarray(heads.key[head])
        w = np.exp(x @ q.T @ k @ x.T / np.sqrt(len(q)))
        w /= w.sum(axis=1, keepdims=True)
        for _ in range(2):
            w /= w.sum(axis=0)
            w /= w.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(got, w, rtol=1e-10)


def test_training_lowers_the_loss_and_says_how_far_it_is():
    model = tiny("softmax", jnp.float32)
    ids = np.tile(np.arange(4), 20)  # what comes next is known
    found = [*train(model, ids, steps=60, rate=3e-2, batch=4, saves=2)]
    assert [one.step for one in found] == [0, 30, 60] and np.isnan(found[0].loss)
    assert found[0].model is model
    seen = draw(ids, (8,), N, 5)
    losses = [float(masked_loss(one.model, seen)) for one in found]
    # From log 97 + 1/2 to less than frequencies alone can tell, log 4.
    assert losses[0] > 3.5 and losses[2] < np.log(4) < losses[0] and found[2].loss < found[1].loss


def test_windows_are_parts_of_the_text_with_something_hidden_in_each():
    ids = np.arange(50) % 7
    seen = draw(ids, (2, 30), 9, 0)
    assert seen.ids.shape == seen.hidden.shape == (2, 30, 9) and seen.hidden.any(axis=-1).all()
    assert (np.diff(seen.ids) % 7 == 1).all()
    # .15 and one of nine for certain: .15 + .85/9, of 540 draws known to .02.
    assert abs(seen.hidden.mean() - (0.15 + 0.85 / 9)) < 4 * 0.02
    one = Batch(np.array([[0, 1, 2]]), np.array([[True, False, True]]))
    counts = np.ones(96)
    counts[:2] += 3, 1
    want = -(np.log(counts / counts.sum())[[0, 2]]).mean()
    np.testing.assert_allclose(unigram_loss(np.array([0, 0, 1, 0]), one), want)
    text, rest = parts_of_help()
    assert len(rest) == pytest.approx(len(text) / 19, rel=1e-4) and len(text) > 10**5


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_model_is_written_and_read(kind, tmp_path):
    model = tiny(kind, jnp.float16)
    write_masked(model, tmp_path / kind, {"rate": 1e-3})
    again = read(tmp_path / kind)
    arrays = [jax.tree.leaves(eqx.filter(one, eqx.is_inexact_array)) for one in (model, again)]
    for before, after in zip(*arrays, strict=True):
        np.testing.assert_array_equal(before.astype(jnp.float32), after)
    assert again.blocks.heads.iterations == KINDS[kind] and again.longest == N
    ids = again.encode("a\nb~")
    assert ids.tolist() == [66, 0, 67, 95] and again.tokenizer.decode([*ids, 96]) == "a\nb~\ufffd"
    check_refused(lambda: Characters("ab").encode("abc"), "leave it out")


@pytest.mark.parametrize("kind", KINDS)
def test_stored_weights_have_the_stored_loss(kind):
    folder = Path(data.__file__).parent / "data"
    model = trained(kind)
    ids = model.encode((folder / "text.txt").read_text())
    windows = ids[: len(ids) // 32 * 32].reshape(-1, 32)
    hidden = np.broadcast_to(np.arange(32) % 7 == 3, windows.shape)
    loss = float(masked_loss(model, Batch(windows, hidden)))
    stored = json.loads((folder / f"masked_{kind}" / "config.json").read_text())["notes"]
    assert loss == pytest.approx(stored["loss_of_text"], abs=1e-4)  # to four digits
    assert (model.blocks.heads.iterations is None) == (kind == "softmax")
