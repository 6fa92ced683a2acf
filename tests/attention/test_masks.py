"""Masks as matrices, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield.attention import L2, Additive, Blockwise, Dense, Softmax, alibi, causal
from meanfield.geometry import Sphere


def test_masks_are_the_matrices_that_their_names_say():
    i, j = np.indices((5, 5))
    np.testing.assert_array_equal(np.asarray(causal(5)), np.where(i >= j, 0.0, -np.inf))
    expected = np.where(i >= j, -0.25 * (i - j), -np.inf)
    np.testing.assert_array_equal(np.asarray(alibi(5, 0.25)), expected)
    allowed = np.tri(4, 6, k=1, dtype=bool)
    mask = Softmax(1.0, mask=allowed).mask
    assert isinstance(mask, Additive) and mask.shape == (4, 6)
    np.testing.assert_array_equal(np.asarray(mask), np.where(allowed, 0.0, -np.inf))


def test_masks_make_any_block_of_themselves():
    rows, columns = jnp.array([3, 1]), jnp.array([0, 4, 2])
    matrix = np.where(np.tri(5, dtype=bool), np.arange(25.0).reshape(5, 5), -np.inf)
    for mask in (causal(5), alibi(5, 0.25), Softmax(1.0, mask=matrix).mask):
        block = np.asarray(mask)[np.ix_(rows, columns)]
        np.testing.assert_array_equal(mask.bias(rows, columns), block)


def test_masks_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="empty row"):
        Softmax(1.0, mask=np.array([[True, False], [False, False]]))
    with pytest.raises(ValueError, match="without NaN"):
        Softmax(1.0, mask=np.array([[0.0, np.nan], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="boolean or floating-point"):
        Softmax(1.0, mask=np.ones((2, 2), int))
    with pytest.raises(ValueError, match=r"shape \[n, m\]"):
        Softmax(1.0, mask=np.ones(2, bool))
    with pytest.raises(ValueError, match="slope >= 0"):
        alibi(3, -1.0)
    with pytest.raises(ValueError, match=">= 1"):
        causal(0)


@pytest.mark.parametrize("engine", [Dense(), Blockwise(2)])
@pytest.mark.parametrize("kind", [Softmax, L2])
def test_a_token_that_sees_no_mass_feels_no_field(kind, engine):
    x = Sphere(3).sample(jax.random.key(1), 4)
    attention = kind(2.0, mask=causal(4), engine=engine)
    w = jnp.array([0.0, 0.0, 0.25, 0.75])
    field, slope = attention(x, None, w), jax.jacobian(lambda x: attention(x, None, w))(x)
    np.testing.assert_array_equal(field[:2], 0)
    np.testing.assert_allclose(field[2], x[2], rtol=1e-15)
    assert bool(jnp.isfinite(slope).all())
