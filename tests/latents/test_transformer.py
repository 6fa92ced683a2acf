"""Models that are read compute what plain numpy does, and are steps and flows of this package."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import small_models as small
from refusals import check_refused

from meanfield.latents import read

IDS = np.array([3, 0, 7, 7, 10])
# Some hundred operations in float32 on numbers up to about 10, of which each is right to 6e-8.
ATOL = 5e-5


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Each model with the states, middle states, weights and logits of the reference."""
    folder = tmp_path_factory.mktemp("models")
    llama = read(small.write_llama(folder / "a.gguf"))
    gpt2 = read(small.write_folder(folder / "gpt2", small.gpt2_tensors(), small.GPT2))
    bert = read(str(small.write_folder(folder / "bert", small.bert_tensors(), small.BERT)))
    return {
        "llama": (llama, reference.llama(small.llama_tensors(), IDS)),
        "gpt2": (gpt2, reference.gpt2(small.gpt2_tensors(), IDS)),
        "bert": (bert, reference.bert(small.bert_tensors(), IDS)),
    }


NAMES = ["llama", "gpt2", "bert"]


@pytest.mark.parametrize("name", NAMES)
def test_states_weights_and_logits_are_those_of_numpy(models, name):
    model, (states, mid, weights, logits) = models[name]
    recording = model.record(IDS)
    np.testing.assert_allclose(recording.states, states, atol=ATOL)
    np.testing.assert_allclose(recording.mid, mid, atol=ATOL)
    np.testing.assert_allclose(model.logits(jnp.asarray(recording.states[-1])), logits, atol=ATOL)
    for layer in range(small.DEPTH):
        seen = model.attention(layer, jnp.asarray(recording.states[layer]))
        np.testing.assert_allclose(seen, weights[layer], atol=ATOL)
    arrays, rest = eqx.partition(model.blocks, eqx.is_array)
    block = eqx.combine(jax.tree.map(lambda a: a[1], arrays), rest)
    row = block.row(jnp.asarray(states[1], jnp.float32), jnp.asarray(2))
    np.testing.assert_allclose(row, states[2][2], atol=ATOL)
    assert recording.tokens.tolist() == IDS.tolist() and recording.states.dtype == np.float32
    assert "weights_sha256" in recording.provenance


@pytest.mark.parametrize("name", ["llama", pytest.param("gpt2", marks=pytest.mark.slow)])
def test_a_layer_is_one_step_of_the_scheme(models, name):
    # With eps = 1e-5 in a mean square of about 1 the norms differ by 5e-6, and so do the steps.
    model, (states, _, _, _) = models[name]
    for layer in range(small.DEPTH):
        x, after = states[layer], states[layer + 1]
        if name == "gpt2":
            x, after = (a - a.mean(axis=1, keepdims=True) for a in (x, after))
        with jax.default_matmul_precision("highest"):
            got = np.asarray(model.layer(layer).step(jnp.asarray(x, jnp.float32), None)[0])
        step = np.linalg.norm(after - x, axis=1)
        assert (np.linalg.norm(got - after, axis=1) <= 1e-4 * step).all()


def test_the_flow_adds_what_attention_and_mlp_write(models):
    # d(r u)/dt = A(u) + M(u): a step of size h is x + h (A + M) to order h.
    model, (states, *_) = models["llama"]
    x = jnp.asarray(states[1], jnp.float32)
    r = jnp.linalg.norm(x, axis=1)
    u = x / r[:, None]
    flow = model.flow(1)
    turn, growth = flow.drift(jnp.zeros((), jnp.float32), (u, r), None)
    block = model.block(1)
    exact = block.heads(block.first(x)) + jax.vmap(block.mlp)(block.second(x))
    np.testing.assert_allclose(growth[:, None] * u + r[:, None] * turn, exact, atol=1e-4)


def test_a_logit_has_a_gradient_to_any_layer(models):
    model, (states, *_) = models["llama"]
    x = jnp.asarray(states[1], jnp.float32)
    score = eqx.filter_jit(lambda x: model.logits(model.forward(x, 1))[-1, 4])
    slope = jax.grad(score)(x)
    way = jnp.asarray(np.random.default_rng(0).normal(size=x.shape), jnp.float32)
    h = jnp.float32(1e-2)
    # Central differences: order h^2, and rounding of 1e-6 over h.
    numeric = (score(x + h * way) - score(x - h * way)) / (2 * h)
    np.testing.assert_allclose((slope * way).sum(), numeric, rtol=5e-3, atol=1e-3)
    both = jax.vmap(score)(jnp.stack([x, 2 * x]))
    np.testing.assert_allclose(both, [score(x), score(2 * x)], rtol=1e-4)
    np.testing.assert_allclose(model.forward(x, 1, 2), states[2], atol=ATOL)
    np.testing.assert_array_equal(model.forward(x, 2, 2), x)


def test_texts_are_tokens(models):
    llama, bert = models["llama"][0], models["bert"][0]
    assert llama.encode("ab12a").tolist() == [4, 5, 6, 0]  # a merge, and digits one by one
    assert llama.tokenizer.decode([4, 5]) == "ab1"
    assert bert.encode("d e").tolist() == [8, 9]
    assert bert.record("d e").n == 2


def test_tied_embeddings_are_not_copied(tmp_path):
    tensors = small.llama_tensors()
    del tensors["output.weight"]
    model = read(small.write_llama(tmp_path / "a.gguf", tensors))
    assert model.unembedding is model.embedding
    assert "3 layers, 3 heads, R^12" in repr(model)


def test_what_a_model_cannot_do_is_refused(models):
    llama, bert = models["llama"][0], models["bert"][0]
    for call, match in [
        (lambda: llama.record(""), "pass one or more"),
        (lambda: llama.record([11]), "ids from 0 to 10"),
        (lambda: llama.record([-1]), "ids from 0 to 10"),
        (lambda: llama.record([0.5]), "list of ids"),
        (lambda: llama.record([0] * 17), "at most 16 tokens"),
        (lambda: llama.layer(3), "layer below 3"),
        (lambda: llama.forward(jnp.ones((2, 12)), 2, 1), "start < stop"),
        (lambda: bert.layer(0), "recorded only"),
        (lambda: bert.flow(0), "recorded only"),
    ]:
        check_refused(call, match)
    silent = eqx.tree_at(lambda m: m.embedding, llama, llama.embedding)
    object.__setattr__(silent, "tokenizer", None)
    check_refused(lambda: silent.record("ab"), "pass ids")
