"""Blocks against the whole matrix: values and gradients, at the border of underflow, in O(n) memory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_attention import attend, value_and_gradient
from unit_vectors import unit_vectors

from meanfield.attention import Blockwise, Dense, Softmax, Unnormalized, alibi, causal
from meanfield.attention.engines._base import underflow_limit

RNG = np.random.default_rng(0)
QUERY, KEY = jnp.asarray(RNG.normal(size=(2, 3))), jnp.asarray(RNG.normal(size=(2, 3)))
VALUE = jnp.asarray(RNG.normal(size=(4, 3)))


def check_engines(make, block, x, y=None, w=None, largest_logit=8.0):
    """Field and gradient by blocks equal those of the whole matrix."""
    dense, whole = value_and_gradient(make(Dense()), x, y, w)
    blocks, parts = value_and_gradient(make(Blockwise(block)), x, y, w)
    # An exponent of size 2 l, rounded, is off by 2 l eps; a sum of m terms by m eps at most; the
    # gradient is a product of a few such factors.
    eps = float(jnp.finfo(x.dtype).eps)
    relative = 4 * eps * (2 * largest_logit + 16)
    np.testing.assert_allclose(blocks, dense, atol=relative * float(np.abs(dense).max()), rtol=0)
    for part, exact in zip(parts, whole, strict=True):
        # d/d(logit) multiplies each by logits and their scale.
        scale = (1 + largest_logit) * float(np.abs(exact).max() + np.abs(dense).max())
        np.testing.assert_allclose(part, exact, atol=relative * scale, rtol=0)


def tokens(seed, n):
    return unit_vectors(seed, n, 3)


def masses(n):
    """The first token has none."""
    return jnp.asarray(np.arange(n) / np.arange(n).sum())


@pytest.mark.parametrize(
    ("n", "m", "block"), [(7, 5, 3), pytest.param(6, 6, 3, marks=pytest.mark.slow), (5, 4, 1024)]
)
def test_blocks_equal_the_whole_matrix(n, m, block):
    x, y, w = tokens(0, n), tokens(1, m), masses(m)
    check_engines(
        lambda engine: Unnormalized(2.0, QUERY, KEY, VALUE, engine=engine), block, x, y, w
    )


@pytest.mark.parametrize("kind", [Softmax, pytest.param(Unnormalized, marks=pytest.mark.slow)])
def test_mirrored_blocks_equal_the_whole_matrix(kind):
    check_engines(
        lambda engine: kind(2.0, value=VALUE, engine=engine), 3, tokens(0, 7), None, masses(7)
    )


def test_each_block_between_tokens_and_themselves_is_computed_once():
    x = tokens(0, 12)

    def loops(*clouds):
        return str(jax.make_jaxpr(Softmax(2.0, engine=Blockwise(3)))(*clouds))

    pairs = f"length={4 * 5 // 2}"  # of 4 blocks, each with itself and those after it
    assert pairs in loops(x)
    assert pairs not in loops(x, x + 0.0)  # two arrays: they may differ


@pytest.mark.parametrize("mask", ["causal", "alibi", "additive"])
def test_blocks_with_masks_equal_the_whole_matrix(mask):
    allowed = np.tri(7, dtype=bool) | (RNG.random((7, 7)) < 0.3)
    mask = {"causal": causal(7), "alibi": alibi(7, 0.5), "additive": allowed}[mask]
    check_engines(lambda engine: Softmax(2.0, mask=mask, engine=engine), 3, tokens(0, 7))


@pytest.mark.parametrize("dtype", [jnp.float64, pytest.param(jnp.float32, marks=pytest.mark.slow)])
def test_blocks_agree_on_both_sides_of_the_choice_of_method(dtype):
    # Tokens and their antipodes: logits from -beta to beta, the widest there are.
    x = np.asarray(tokens(0, 3))
    x = jnp.asarray(np.concatenate([x, -x, x[:1]]), dtype)
    far = -x[:1]  # the only key: a row whose greatest term is e^{-2 beta} below the bound
    limit = underflow_limit(dtype) / 2
    for beta in (0.999 * limit, 1.001 * limit):
        check_engines(
            lambda engine, beta=beta: Softmax(beta, engine=engine), 3, x, None, None, beta
        )
        for engine in (Blockwise(3), Dense()):
            field = attend(Softmax(beta, engine=engine), x[:1], far)
            np.testing.assert_allclose(field, far, rtol=4 * float(jnp.finfo(dtype).eps))


def test_huge_beta_is_finite_and_finds_the_nearest_token():
    x, y = tokens(0, 7), tokens(1, 5)
    field, gradient = value_and_gradient(Softmax(1e4, engine=Blockwise(3)), x, y, None)
    log_mass = eqx.filter_jit(Softmax(1e4, engine=Blockwise(3)).log_mass)(x, y)
    x, y = np.asarray(x), np.asarray(y)
    np.testing.assert_allclose(field, y[(x @ y.T).argmax(axis=1)], atol=1e-12)
    assert all(np.isfinite(part).all() for part in gradient)
    np.testing.assert_allclose(log_mass, 1e4 * (x @ y.T).max(axis=1) - np.log(5), rtol=1e-14)


def test_blocks_can_be_vmapped_and_pushed_forward():
    clouds = jnp.stack([tokens(0, 7), tokens(1, 7)])
    betas = jnp.array([2.0, 1e4])  # one cloud on each side of the choice of method

    def both(engine):
        def field(x, beta):
            return Softmax(beta, engine=engine)(x)

        along = (jnp.cos(clouds), jnp.ones(2))
        return jax.jit(lambda: jax.jvp(jax.vmap(field), (clouds, betas), along))()

    for engine in (Blockwise(3), Dense()):
        one = str(jax.make_jaxpr(jax.vmap(Softmax(2.0, engine=engine)))(clouds))
        assert (
            "cond[" in one
        )  # one method for the batch: a condition of each would run both methods
    for blocks, dense in zip(both(Blockwise(3)), both(Dense()), strict=True):
        # At beta = 1e4 logits are rounded to 1e4 eps = 2e-12.
        np.testing.assert_allclose(blocks, dense, atol=1e-10)


@pytest.mark.parametrize("masked", [False, True])
def test_memory_grows_like_n_forward_and_backward(masked):
    n, d, block = 8192, 3, 256
    x = jax.ShapeDtypeStruct((n, d), jnp.float64)
    mask = causal(n) if masked else None
    attention = Softmax(2.0, mask=mask, engine=Blockwise(block))

    def value(x):
        return jnp.sum(attention(x) ** 2)

    for function in (lambda x: attention(x), jax.grad(value)):
        used = jax.jit(function).lower(x).compile().memory_analysis().temp_size_in_bytes
        # A few tiles of block^2, a few arrays [n, d + 1], and, backward, the partial sums
        # [block, d + 1] after each of n/block blocks: [n, d + 1] once more. Ten of each at most.
        tiles, arrays = 8 * block**2, 8 * n * (d + 1)
        assert used <= 10 * (tiles + arrays)
        assert used < 8 * n * n / 40  # far below a single n x n matrix
