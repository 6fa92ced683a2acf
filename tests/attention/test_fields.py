"""Softmax, unnormalized and multi-head attention against loops over pairs, and their limits."""

import equinox as eqx
import jax
import jax.numpy as jnp
import loops
import numpy as np
import pytest
from compiled_attention import attend
from refusals import check_refused
from unit_vectors import unit_vectors

from meanfield.attention import MultiHead, Softmax, Unnormalized, alibi, causal

N, D = 6, 3
RNG = np.random.default_rng(0)
X = unit_vectors(1, N, D)
Y = jnp.asarray(RNG.normal(size=(4, D)))
W = jnp.array([0.4, 0.0, 0.1, 0.5])
QUERY, KEY = jnp.asarray(RNG.normal(size=(2, D))), jnp.asarray(RNG.normal(size=(2, D)))
VALUE = jnp.asarray(RNG.normal(size=(5, D)))
BOOLEAN = np.tri(N, dtype=bool) | (RNG.random((N, N)) < 0.3)
ADDITIVE = np.where(BOOLEAN, RNG.normal(size=(N, N)), -np.inf)
PATTERN = jnp.cos(jnp.arange(N * 5.0)).reshape(N, 5)
MASKS = {
    "none": None,
    "causal": causal(N),
    "alibi": alibi(N, 0.5),
    "boolean": BOOLEAN,
    "additive": ADDITIVE,
}
KINDS = [(Softmax, loops.softmax), (Unnormalized, loops.unnormalized)]
# About 30 operations on numbers of order one, in which logits up to about 8 are exponentiated.
RTOL = 1e-13


def check(attention, loop, x, y=None, w=None):
    expected = loop(attention, x, x if y is None else y, w)
    found = attend(attention, x, y, w)
    np.testing.assert_allclose(found, expected, atol=RTOL * np.abs(expected).max())


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("kind", "loop"), KINDS, ids=["softmax", "unnormalized"])
def test_self_attention_is_the_loop(kind, loop, mask):
    check(kind(2.0, QUERY, KEY, VALUE, mask=MASKS[mask]), loop, X)


@pytest.mark.parametrize(("kind", "loop"), KINDS, ids=["softmax", "unnormalized"])
def test_weighted_and_cross_attention_is_the_loop(kind, loop):
    check(kind(2.0), loop, X)
    check(kind(-1.5, None, None, VALUE), loop, X, Y)
    check(kind(2.0, QUERY, KEY, VALUE), loop, X, Y, W)
    check(kind(2.0, mask=jnp.asarray(BOOLEAN[:, :4])), loop, X, Y, jnp.full(4, 0.25, float))


@pytest.mark.parametrize(
    ("n", "m", "d", "why"),
    [
        (52, 40, 3, "more pairs than fit into one product with the bound"),
        (5, 12, 9, "wide values, whose mass is summed apart"),
        (5, 4, 9, "more columns than keys"),
    ],
)
def test_each_way_of_the_whole_matrix_is_the_loop(n, m, d, why):
    x, y = jnp.asarray(RNG.normal(size=(n, d))), jnp.asarray(RNG.normal(size=(m, d)))
    x, y = x / jnp.linalg.norm(x, axis=-1, keepdims=True), y / 3
    w = jnp.arange(m) / jnp.arange(m).sum()
    value = jnp.asarray(RNG.normal(size=(d, d)))
    for kind, loop in KINDS:
        check(kind(2.0, value=value), loop, x, y, w)


def test_offset_scales_the_unnormalized_field_and_log_mass_is_the_normalizer():
    attention = Unnormalized(2.0, offset=2.0)
    check(attention, loops.unnormalized, X)
    plain = np.asarray(attend(Unnormalized(2.0), X))
    np.testing.assert_allclose(attend(attention, X), np.exp(-2) * plain, rtol=1e-14)
    for kind in (Softmax, Unnormalized):
        mass, _ = loops.moments(kind(2.0), X, Y, W)
        found = eqx.filter_jit(kind(2.0).log_mass)(X, Y, W)
        np.testing.assert_allclose(found, np.log(mass), atol=RTOL)
    # Softmax is the unnormalized field over that normalizer.
    mass = np.exp(eqx.filter_jit(Softmax(2.0).log_mass)(X))
    np.testing.assert_allclose(attend(Softmax(2.0), X), plain / mass[:, None], atol=RTOL)


def test_heads_add_up():
    heads = [Softmax(1.0, QUERY, KEY, VALUE), Unnormalized(0.5, None, None, VALUE)]
    expected = loops.softmax(heads[0], X, Y, W) + loops.unnormalized(heads[1], X, Y, W)
    np.testing.assert_allclose(MultiHead(heads)(X, Y, W), expected, atol=RTOL * 10)


def test_beta_zero_is_the_weighted_mean_and_beta_infinity_the_nearest_token():
    np.testing.assert_allclose(Softmax(0.0)(X, Y, W), jnp.tile(W @ Y, (N, 1)), atol=RTOL)
    tokens = unit_vectors(2, 4, D)
    nearest = (X @ tokens.T).argmax(axis=1)
    ordered = np.sort(X @ tokens.T, axis=1)
    gap = float((ordered[:, -1] - ordered[:, -2]).min())
    # Three other tokens at a distance of at most 2, each of relative weight e^{-beta gap}.
    error = np.abs(Softmax(60 / gap)(X, tokens) - tokens[nearest]).max()
    assert error <= 6 * np.exp(-60) + 1e-15
    np.testing.assert_allclose(Softmax(1e300)(X, tokens), tokens[nearest], rtol=0)


@pytest.mark.parametrize("beta", [2.0, 1e4])
def test_tokens_without_mass_are_as_if_they_were_not_there(beta):
    # Each massless token is the nearest of its own query, by far: e^{-1e4} has no digits left.
    attention, half = Softmax(beta), jnp.array([0.5, 0.5, 0.0, 0.0, 0.0, 0.0])
    found = attend(attention, X, X, half)
    np.testing.assert_allclose(found, attend(attention, X, X[:2]), atol=RTOL)
    gradient = eqx.filter_jit(jax.grad(lambda w, a: (a(X, X, w) ** 2).sum()))(half, attention)
    assert np.isfinite(gradient).all()


def test_a_token_that_may_attend_to_no_mass_is_not_pulled():
    masked = Unnormalized(2.0, mask=causal(2))
    np.testing.assert_array_equal(attend(masked, X[:2], None, jnp.array([0.0, 1.0]))[0], 0)


def test_the_first_variation_counts_tokens_that_have_no_mass_yet():
    # d/dw_j sum_j w_j e^{l_ij} = e^{l_ij}, also where w_j = 0: what a new token would add.
    at = jax.jacobian(lambda w: jnp.exp(Unnormalized(2.0).log_mass(X, Y, w)))(W)
    np.testing.assert_allclose(at, np.exp(loops.logits(Unnormalized(2.0), X, Y)), rtol=1e-12)


@pytest.mark.parametrize("kind", [Softmax, Unnormalized])
def test_gradients_are_finite_differences(kind):
    attention = kind(0.5, QUERY, KEY, VALUE, mask=causal(N))
    w = jnp.full(N, 1 / N, float)
    arguments, static = eqx.partition((attention, X, w), eqx.is_inexact_array)

    @jax.jit
    def value(arguments):
        attention, x, w = eqx.combine(arguments, static)
        return jnp.vdot(PATTERN, attention(x, None, w))

    leaves, tree = jax.tree.flatten(arguments)
    keys = jax.random.split(jax.random.key(3), len(leaves))
    along = [jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)]
    along = jax.tree.unflatten(tree, along)

    def moved(h):
        return value(jax.tree.map(lambda a, b: a + h * b, arguments, along))

    slope = sum(
        jnp.vdot(g, v)
        for g, v in zip(
            *map(jax.tree.leaves, (jax.jit(jax.grad(value))(arguments), along)), strict=True
        )
    )
    h = 1e-3
    # Logits move by up to about 10 h, so this fourth-order difference is off by (10 h)^4 and eps/h.
    difference = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-8, atol=1e-8)


def test_float32_stays_float32_whatever_the_dtype_of_the_matrices():
    x = X.astype(jnp.float32)
    for attention in (
        Softmax(2.0, QUERY, KEY, VALUE, mask=alibi(N, 0.5)),
        Unnormalized(2.0, mask=jnp.asarray(ADDITIVE), offset=1.0),
        MultiHead([Softmax(1.0), Softmax(2.0, mask=causal(N))]),
    ):
        out = attend(attention, x, None, jnp.full(N, 1 / N, float))
        assert out.dtype == jnp.float32
        np.testing.assert_allclose(out, attend(attention, X), atol=1e-4)


def test_attention_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="same number of rows"):
        Softmax(1.0, query=jnp.ones((2, 3)), key=jnp.ones((4, 3)))
    check_refused(lambda: Softmax(1.0, query=jnp.ones((2, 2, 3))), "use MultiHead")
    check_refused(lambda: Softmax(1.0, key=jnp.ones((3, 4)))(X), "key matrix with 3 columns")
    check_refused(lambda: Softmax(1.0, mask=causal(5))(X), "mask of shape [6, 6]")
    check_refused(lambda: Softmax(jnp.ones(2)), "one number for beta")
    check_refused(lambda: MultiHead([]), "expected a list of attentions for heads")
