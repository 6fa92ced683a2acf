"""The logit lens and the marginals of attention, of small models whose answers are known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.latents import Recording, lens, marginals
from meanfield.latents.profiles._marginals import of_weights

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
    each = of_weights(
        Toy(past=past).attention(0, jnp.asarray(x[0])), jnp.asarray(x[0]), jnp.arange(N) < 1
    )
    np.testing.assert_allclose(each["slope"], [0, 2], atol=1e-9)
    np.testing.assert_allclose(each["slope_r2"][1], 1, rtol=1e-9)
    check_refused(lambda: marginals(Toy(), Recording(x).drop([2])), "drop none")
    check_refused(lambda: marginals(object(), Recording(x)), "mf.latents.read")
