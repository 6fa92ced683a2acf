"""Lengths of vectors that neither overflow nor underflow, with derivatives that do not either.

Each is one program where it is called by itself, and part of the caller's within one.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._typing import Vectors

Lengths = Float[Array, "*batch 1"]


@jax.custom_jvp
@functools.partial(jax.jit, inline=True)
def length(v: Vectors) -> Lengths:
    """|v| of vectors of any size, with the gradient 0, and not NaN, at v = 0."""
    scale, _, norm = _scaled(v)
    return scale * norm


@length.defjvp
def _length_jvp(primals, tangents):
    (v,), (dv,) = primals, tangents
    return length(v), _along(_direction(v, math.inf), dv)


def unit(v: Vectors) -> Vectors:
    """v/|v| of vectors of any size; 0 at 0."""
    return _direction(v, 1.0)


@jax.custom_jvp
def gap(v: Vectors) -> Lengths:
    """|v| as a distance from 0, whose even functions have all their derivatives there.

    The gradient at 0, where there is none, is 0. Derivatives are taken as if |v| were `_least` there and
    not 0: so those of |v|^2, at second order 2 I, come out right where |v| itself has none.
    """
    return length(v)


@gap.defjvp
def _gap_jvp(primals, tangents):
    (v,), (dv,) = primals, tangents
    least = _least(v.dtype)
    return _lifted(v, least), _along(_direction(v, least), dv)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _lifted(v: Vectors, least: float) -> Lengths:
    """|v|, or `least` where it is 0."""
    size = length(v)
    return jnp.where(size == 0, least, size)


@_lifted.defjvp
def _lifted_jvp(least, primals, tangents):
    (v,), (dv,) = primals, tangents
    return _lifted(v, least), _along(_direction(v, least), dv)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
@functools.partial(jax.jit, static_argnums=1, inline=True)
def _direction(v: Vectors, least: float) -> Vectors:
    """v/|v|, and 0 at 0, where its derivative is that of v/`least`.

    Derivatives of a scaled sum of squares would pass by the squares of scales, beyond all range."""
    _, small, norm = _scaled(v)
    return small / jnp.where(norm == 0, 1, norm)


@_direction.defjvp
def _direction_jvp(least, primals, tangents):
    (v,), (dv,) = primals, tangents
    u = _direction(v, least)
    return u, (dv - _along(u, dv) * u) / _lifted(v, least)


def _along(u: Vectors, v: Vectors) -> Lengths:
    return jnp.sum(u * v, axis=-1, keepdims=True)


def _least(dtype) -> float:
    """The least length whose square is not rounded to 0, and whose inverse square is finite."""
    return 2 * float(jnp.finfo(dtype).tiny) ** 0.5


def _scaled(v: Vectors) -> tuple[Lengths, Vectors, Lengths]:
    """A scale, v in units of it, and the length of that; the scale is 1, or what brings the largest
    coordinate to the nearer end of where squares stay in range."""
    info = jnp.finfo(v.dtype)
    low, high = float(info.tiny / info.eps) ** 0.5, float(info.max / v.shape[-1]) ** 0.5 / 2
    largest = jnp.abs(v).max(axis=-1, keepdims=True)
    largest = jnp.where(largest == 0, 1, largest)
    near = jnp.clip(largest, low, high)
    # Not v/(largest/near), of which XLA may make (v near)/largest, whose product is out of range.
    small = v * (near / largest)
    return largest / near, small, jnp.sqrt(jnp.sum(small**2, axis=-1, keepdims=True))
