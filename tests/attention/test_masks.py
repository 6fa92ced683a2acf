"""Masks as matrices, and what they refuse."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from unit_vectors import unit_vectors

from meanfield.attention import (
    L2,
    Additive,
    Blockwise,
    Dense,
    Softmax,
    alibi,
    causal,
    decay,
    window,
)


def test_masks_are_the_matrices_that_their_names_say():
    i, j = np.indices((5, 5))
    np.testing.assert_array_equal(np.asarray(causal(5)), np.where(i >= j, 0.0, -np.inf))
    expected = np.where(i >= j, -0.25 * (i - j), -np.inf)
    np.testing.assert_array_equal(np.asarray(alibi(5, 0.25)), expected)
    beside = np.abs(i - j)
    np.testing.assert_array_equal(np.asarray(window(5, 1)), np.where(beside <= 1, 0.0, -np.inf))
    near = (i >= j) & (i - j <= 2)
    backward = np.asarray(window(5, 2, backward=True))
    np.testing.assert_array_equal(backward, np.where(near, 0.0, -np.inf))
    np.testing.assert_array_equal(np.asarray(decay(5, 0.25)), -0.25 * beside)
    allowed = np.tri(4, 6, k=1, dtype=bool)
    mask = Softmax(1.0, mask=allowed).mask
    assert isinstance(mask, Additive) and mask.shape == (4, 6)
    np.testing.assert_array_equal(np.asarray(mask), np.where(allowed, 0.0, -np.inf))


@pytest.mark.parametrize("n", [5, 6])
def test_on_a_ring_distances_are_the_shorter_way_round(n):
    i, j = np.indices((n, n))
    around = np.minimum((i - j) % n, (j - i) % n)
    ring = np.asarray(window(n, 2, periodic=True))
    np.testing.assert_array_equal(ring, np.where(around <= 2, 0.0, -np.inf))
    np.testing.assert_array_equal(np.asarray(decay(n, 0.5, periodic=True)), -0.5 * around)
    back = np.asarray(window(n, n - 2, periodic=True, backward=True))
    np.testing.assert_array_equal(back, np.where((i - j) % n <= n - 2, 0.0, -np.inf))


def test_masks_make_any_block_of_themselves():
    rows, columns = jnp.array([3, 1]), jnp.array([0, 4, 2])
    matrix = np.where(np.tri(5, dtype=bool), np.arange(25.0).reshape(5, 5), -np.inf)
    masks = (causal(5), alibi(5, 0.25), window(5, 1, periodic=True), decay(5, 1.0))
    for mask in (*masks, Softmax(1.0, mask=matrix).mask):
        block = np.asarray(mask)[np.ix_(rows, columns)]
        np.testing.assert_array_equal(eqx.filter_jit(mask.bias)(rows, columns), block)


def test_masks_refuse_what_does_not_fit():
    check_refused(lambda: Softmax(1.0, mask=np.array([[True, False], [False, False]])), "empty row")
    check_refused(lambda: Softmax(1.0, mask=np.array([[0.0, np.nan], [0.0, 0.0]])), "without NaN")
    check_refused(lambda: Softmax(1.0, mask=np.ones((2, 2), int)), "boolean or floating-point")
    check_refused(lambda: Softmax(1.0, mask=np.ones(2, bool)), "shape [n, m]")
    check_refused(lambda: alibi(3, -1.0), "slope >= 0")
    check_refused(lambda: causal(0), ">= 1")
    check_refused(lambda: decay(3, -1.0), "rate >= 0")
    with pytest.raises(ValueError, match="ring of 6 tokens, got radius 3; use radius=2"):
        window(6, 3, periodic=True)
    check_refused(lambda: window(6, 6, periodic=True, backward=True), "use radius=5")


@pytest.mark.parametrize("engine", [Dense(), Blockwise(2)])
@pytest.mark.parametrize("kind", [Softmax, L2])
def test_a_token_that_sees_no_mass_feels_no_field(kind, engine):
    x = unit_vectors(1, 4, 3)
    attention = kind(2.0, mask=causal(4), engine=engine)
    w = jnp.array([0.0, 0.0, 0.25, 0.75])

    @jax.jit
    def both(x):
        field = attention(x, None, w)
        return field, field

    slope, field = jax.jit(jax.jacobian(both, has_aux=True))(x)
    np.testing.assert_array_equal(field[:2], 0)
    np.testing.assert_allclose(field[2], x[2], rtol=1e-15)
    assert bool(jnp.isfinite(slope).all())
