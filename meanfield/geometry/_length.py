"""Lengths of vectors that neither overflow nor underflow, and what becomes of them at 0."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Vectors = Float[Array, "*batch d"]


def length(v: Vectors) -> Float[Array, "*batch 1"]:
    """|v| of vectors of any size, with the gradient 0, and not NaN, at v = 0."""
    scale = _scale(v)
    return scale * _norm(v / scale)


def unit(v: Vectors) -> Vectors:
    """v/|v| of vectors of any size; 0 at 0."""
    small = v / _scale(v)
    norm = _norm(small)
    return small / jnp.where(norm == 0, 1, norm)


def _norm(v: Vectors) -> Float[Array, "*batch 1"]:
    """|v| where squares stay within the range of the dtype, with the gradient 0 at 0."""
    square = jnp.sum(v**2, axis=-1, keepdims=True)
    zero = square == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, square)))


@jax.custom_jvp
def gap(v: Vectors) -> Float[Array, "*batch 1"]:
    """|v| as a distance from 0, whose even functions have all their derivatives there.

    The gradient at 0, where there is none, is 0. Derivatives are taken as if |v| were `_least` there and
    not 0: so those of |v|^2, at second order 2 I, come out right where |v| itself has none.
    """
    return length(v)


@gap.defjvp
def _gap_jvp(primals, tangents):
    return jax.jvp(_lifted, primals, tangents)


def _lifted(v: Vectors) -> Float[Array, "*batch 1"]:
    scale = _scale(v)
    square = jnp.sum((v / scale) ** 2, axis=-1, keepdims=True)
    return scale * jnp.sqrt(jnp.where(square == 0, square + _least(v.dtype) ** 2, square))


def _least(dtype) -> float:
    """The least length whose square is not rounded to 0, and whose inverse square is finite."""
    return 2 * float(jnp.finfo(dtype).tiny) ** 0.5


def _scale(v: Vectors) -> Float[Array, "*batch 1"]:
    """1, or what brings the largest coordinate to the nearer end of where squares stay in range."""
    info = jnp.finfo(v.dtype)
    low, high = float(info.tiny / info.eps) ** 0.5, float(info.max / v.shape[-1]) ** 0.5 / 2
    largest = jax.lax.stop_gradient(jnp.abs(v).max(axis=-1, keepdims=True))
    largest = jnp.where(largest == 0, 1, largest)
    return largest / jnp.clip(largest, low, high)
