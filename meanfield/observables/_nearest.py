"""The nearest tokens of each token, looked for by products and measured by differences."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from .._typing import Points

LEAST = 32
"""Coordinates from which products, and a dozen of differences a token, are quicker than all differences."""
_MORE = 6
"""Tokens that are measured beyond those that are asked for."""
_BLOCK = 2**22
"""Numbers that a block of tokens may hold."""


def by_nearest(x: Points, k: int, quick: Callable, slow: Callable) -> Any:
    """`quick(indices)`, of the k nearest other tokens of each, ascending [n, k]; `slow()` where these are not
    sure: where tokens coincide, or lie so close that products may tell them apart wrongly."""
    n, d = x.shape
    if d < LEAST or n <= k + _MORE + 1:
        return slow()
    indices, sure = _nearest(jax.lax.stop_gradient(x), k)
    return jax.lax.cond(sure, lambda: quick(indices), slow)


def _nearest(x: Points, k: int) -> tuple[Int[Array, "n k"], Bool[Array, ""]]:
    """The indices, and whether they are sure.

    |a - b|^2 = |a|^2 + |b|^2 - 2 <a, b> is off by eps (2d + 16) (|a|^2 + |b|^2) at most: nobody beyond those
    that are measured is nearer than the least of these values less so much.
    """
    n, d = x.shape
    a = x - x.mean(axis=0)
    square = jnp.sum(a * a, axis=1)
    slack = (2 * d + 16) * float(jnp.finfo(x.dtype).eps) * (square + square.max())

    def one(row):
        token, i, size, off = row
        far = size + square - 2 * jnp.matmul(a, a[i], precision="highest")
        far, few = _least(far.at[i].set(jnp.inf), k + _MORE)
        apart = jnp.sum((x[few] - token) ** 2, axis=1)
        order = jnp.argsort(apart)[:k]
        reach = apart[order]
        return few[order], (reach[0] > 0) & (far.min() - off >= reach[-1])

    rows = x, jnp.arange(n), square, slack
    block = min(n, max(1, _BLOCK // (n + (k + _MORE) * d)))
    indices, sure = jax.lax.map(one, rows, batch_size=block)
    return indices, sure.all()


def _least(values, count: int):
    """The values without the `count` least ones, and the indices of these; for few far faster than
    top_k on a CPU."""

    def take(values, _):
        i = jnp.argmin(values)
        return values.at[i].set(jnp.inf), i

    return jax.lax.scan(take, values, length=count)
