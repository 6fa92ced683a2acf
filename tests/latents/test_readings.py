"""The logit lens and the marginals of attention, of small models whose answers are known."""

import itertools
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models
from refusals import check_refused

from meanfield.latents import Recording, lens, marginals, read
from meanfield.latents.profiles._marginals import of_weights, symmetric_share

RNG = np.random.default_rng(4)
N, D, WORDS = 9, 6, 6


class Toy(eqx.Module):
    """Words are axes, and attention has one temperature a head; states are normalized before."""

    heat: float = 3.0
    past: bool = True

    def logits(self, x):
        return self.heat * x / jnp.linalg.norm(x, axis=-1, keepdims=True)

    def attention(self, layer, x):
        u = x / jnp.linalg.norm(x, axis=-1, keepdims=True)
        seen = jnp.tri(len(x), dtype=bool) | (not self.past)
        logits = jnp.stack([b * u @ u.T for b in (0.0, 2.0 + layer)])
        return jax.nn.softmax(jnp.where(seen, logits, -jnp.inf), axis=-1)


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def test_a_lens_reads_words_at_each_layer():
    ids = RNG.integers(WORDS, size=N)
    states = np.stack([5 * np.eye(D)[ids], RNG.normal(size=(N, D)), RNG.normal(size=(N, D))])
    found = lens(Toy(), [Recording(states, tokens=ids), Recording(states, tokens=ids)], tokens=N)
    logits = 3 * states / np.linalg.norm(states, axis=-1, keepdims=True)
    p = softmax(logits)
    np.testing.assert_allclose(found.entropy, -(p * np.log(p)).sum(-1).mean(1), rtol=1e-12)
    want = (p[2] * (np.log(p[2]) - np.log(p))).sum(-1).mean(1)
    np.testing.assert_allclose(found.divergence, want, rtol=1e-10, atol=1e-15)
    assert found.divergence[2] == 0 and found.agreement[2] == 1
    best = logits.argmax(-1)
    np.testing.assert_allclose(found.agreement, (best == best[2]).mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.own, (best == ids).mean(1), rtol=1e-12)
    assert found.own[0] == 1
    following = np.log(p)[:, np.arange(N - 1), ids[1:]]
    np.testing.assert_allclose(found.loss, -following.mean(1), rtol=1e-12)
    np.testing.assert_array_equal(found.loss_low, found.loss)  # twice the same text
    # Evenly spaced tokens, and next tokens that were dropped, which are not known.
    few = lens(Toy(), Recording(states, tokens=ids).drop([1]), tokens=3)
    np.testing.assert_allclose(few.loss, -np.log(p)[:, 5, ids[6]], rtol=1e-12)
    assert "loss" not in lens(Toy(), Recording(states), tokens=3)
    check_refused(lambda: lens(object(), Recording(states)), "mf.latents.read")


class Given:
    """Logits by any function."""

    def __init__(self, function):
        self.logits = function


def test_words_without_a_share_add_nothing_and_nan_stays():
    states = RNG.normal(size=(2, 4, D))
    masked = Given(lambda x: jnp.where(jnp.arange(D) == 2, -jnp.inf, x))
    found = lens(masked, Recording(states))
    p = softmax(np.delete(states, 2, axis=-1))
    np.testing.assert_allclose(found.entropy, -(p * np.log(p)).sum(-1).mean(1), rtol=1e-12)
    want = (p[1] * (np.log(p[1]) - np.log(p))).sum(-1).mean(1)
    np.testing.assert_allclose(found.divergence, want, rtol=1e-12, atol=1e-15)
    lost = lens(Given(lambda x: x.at[0, 1].set(jnp.nan)), Recording(states, tokens=np.arange(4)))
    for name in ("entropy", "divergence", "agreement", "loss", "own"):
        assert np.isnan(lost[name]).all(), name


def test_logits_that_are_none_are_refused():
    text = Recording(RNG.normal(size=(2, 4, D)), tokens=np.array([0, 7, 1, 2]))
    check_refused(lambda: lens(Given(lambda x: x), text), "from 0 to 5, of the words of the model")
    for function in (lambda x: x[:, 0], lambda x: jnp.zeros((3, 2)), lambda x: x > 0):
        check_refused(lambda function=function: lens(Given(function), text), "mend model.logits")
    check_refused(lambda: lens(Given(lambda x: np.asarray(x)), text), "by jax.numpy of states")


@pytest.mark.parametrize("past", [True, False])
def test_marginals_of_attention_whose_temperature_is_known(past):
    x = RNG.normal(size=(3, N, D))
    x[:, 4] *= 30  # a sink
    found = marginals(Toy(past=past), Recording(x))
    harmonic = np.array([(1 / np.arange(j, N + 1)).sum() for j in range(1, N + 1)])
    uniform = harmonic if past else np.ones(N)
    for step in range(2):
        u = x[step] / np.linalg.norm(x[step], axis=-1, keepdims=True)
        columns = []
        for beta in (0.0, 2.0 + step):
            logits = beta * u @ u.T
            w = softmax(np.where(np.tri(N, dtype=bool) | (not past), logits, -np.inf))
            columns.append(w.sum(0))
        c = np.array(columns)
        np.testing.assert_allclose(found.from_causal[step], np.abs(c - uniform).mean(), rtol=1e-10)
        np.testing.assert_allclose(found.from_one[step], np.abs(c - 1).mean(), rtol=1e-10)
        np.testing.assert_allclose(
            found.sink_share[step], (c[:, 0] + c[:, 4]).mean() / N, rtol=1e-10
        )
        # One head has slope 0, the other its beta, whatever else rows have in common.
        np.testing.assert_allclose(found.slope[step], (2.0 + step) / 2, rtol=1e-9)
    np.testing.assert_allclose(found.uniform_from_one, np.abs(uniform - 1).mean(), rtol=1e-12)
    np.testing.assert_allclose(found.uniform_sink_share, (uniform[0] + uniform[4]) / N, rtol=1e-12)
    weights, rest = (
        Toy(past=past).attention(0, jnp.asarray(x[0])),
        (jnp.asarray(x[0]), jnp.arange(N) < 1),
    )
    each = of_weights(weights, *rest)
    np.testing.assert_allclose(each["slope"], [0, 2], atol=1e-9)
    np.testing.assert_allclose(each["slope_r2"][1], 1, rtol=1e-9)
    lost = of_weights(weights.at[1, 3, 1].set(jnp.nan), *rest)
    np.testing.assert_array_equal(np.isnan(lost["slope"]), [False, True])
    # A first token that sees another one, if not all, is not of a causal attention.
    near = of_weights(weights.at[:, 0, -1].set(0), *rest)["uniform_from_one"]
    np.testing.assert_allclose(near, np.abs(uniform - 1).mean(), rtol=1e-12)
    middle = found["columns"].sel(quantile=[0, 0.5, 1]).isel(step=1)
    want = np.quantile(c, [0, 0.5, 1], axis=1).mean(axis=1)
    np.testing.assert_allclose(middle, want, rtol=1e-10)
    check_refused(lambda: marginals(Toy(), Recording(x).drop([2])), "drop none")
    check_refused(lambda: marginals(object(), Recording(x)), "mf.latents.read")


def test_what_is_no_attention_is_refused():
    x = RNG.normal(size=(2, N, D))
    even = jnp.full((2, N, N), 1 / N)
    for wrong in (
        2 * even,
        even[:, :-1],
        even[0],
        even > 0,
        even.at[0, 0, :2].add(jnp.array([-1.0, 1.0])),
    ):
        given = SimpleNamespace(attention=lambda layer, x, wrong=wrong: wrong)
        check_refused(lambda given=given: marginals(given, Recording(x)), "mend model.attention")


def test_the_symmetric_share_of_unrelated_matrices_is_a_half_and_a_bit():
    q, k = RNG.normal(size=(2, 2, 2, 3))
    for queries, keys, want in ((q, q, 1.0), (q[:, [1, 0]] * [[1], [-1]], q, 0.0)):
        got = symmetric_share(jnp.asarray(queries), jnp.asarray(keys))
        np.testing.assert_allclose(got, want, atol=1e-14)
    # Signed permutations have the second moments of all rotations, E R_ab R_cd = (a = c)(b = d)/d:
    # E tr (M R M R) = |M|^2/d, so that the mean over the 48 of them is 1/2 + 1/2d exactly.
    turns = [
        np.eye(3)[list(order)] * signs
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1, -1), repeat=3)
    ]
    shares = [np.asarray(symmetric_share(jnp.asarray(q @ turn), jnp.asarray(k))) for turn in turns]
    np.testing.assert_allclose(np.mean(shares, axis=0), 1 / 2 + 1 / 6, rtol=1e-12)
    dense = np.einsum("hpi,hpj->hij", k, q)
    even = (dense + dense.swapaxes(1, 2)) / 2
    want = (even**2).sum((1, 2)) / (dense**2).sum((1, 2))
    np.testing.assert_allclose(symmetric_share(jnp.asarray(q), jnp.asarray(k)), want, rtol=1e-12)


def test_the_symmetric_share_of_a_model_is_that_of_what_directions_meet(tmp_path):
    model = read(small_models.write_llama(tmp_path / "a.gguf"))
    found = marginals(model, model.record([1, 0, 5, 2]))
    heads, gain = model.blocks.heads, np.asarray(model.blocks.first.gain)
    count, groups = heads.query.shape[1], heads.key.shape[1]
    assert count > groups  # keys are shared, in order
    for layer, head in itertools.product(range(model.depth), range(count)):
        q = np.asarray(heads.query[layer, head]) * gain[layer]
        k = np.asarray(heads.key[layer, head // (count // groups)]) * gain[layer]
        matrix = k.T @ q
        want = np.sum(((matrix + matrix.T) / 2) ** 2) / np.sum(matrix**2)
        np.testing.assert_allclose(found.symmetric[layer, head], want, rtol=1e-4)  # float32
    np.testing.assert_allclose(found.symmetric_null, 0.5 + 0.5 / model.d)
