import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .._checks import check_dimension
from ._engine import AbstractEngine, Sums, exponentials, largest_logit
from ._problem import ExponentialSum

Tile = tuple[Float[Array, "b e"], Float[Array, " b"]]
"""The weighted sums of a block of queries so far, normalizer last, and the shift they carry."""


class Blockwise(AbstractEngine):
    """The n x m sums block by block: exact to rounding, O(n + m) memory forward and backward.

    `block` is the side of the square blocks; 1024 suits most machines. Where all logits are so
    bounded that no row can underflow (on the sphere, beta below 336 in float64 and 35 in float32)
    the weights are e^{l - bound} with no running maximum; otherwise, and under any mask, the maximum
    is carried along (Milakov and Gimelshein, arXiv 1805.02867). Blocks are computed again in the
    backward pass instead of being stored (Rabe and Staats, arXiv 2112.05682).
    """

    block: int = eqx.field(static=True, default=1024, converter=check_dimension)

    def sums(self, problem: ExponentialSum) -> Sums:
        bound = jax.lax.stop_gradient(problem.bound())
        if problem.mask is not None:
            return self._by_rows(problem, bound, _online)
        return jax.lax.cond(
            2 * bound.max() <= underflow_limit(bound.dtype),
            lambda p, b: self._by_rows(p, b, _bounded),
            lambda p, b: self._by_rows(p, b, _online),
            problem,
            bound,
        )

    def _by_rows(
        self, problem: ExponentialSum, bound: Float[Array, " n"], accumulate: Callable[..., Tile]
    ) -> Sums:
        n, m = problem.q.shape[0], problem.k.shape[0]
        rows, columns = min(self.block, n), min(self.block, m)
        v = problem.v
        ones = jnp.ones((m, 1), v.dtype)
        values = problem.w[:, None] * jnp.concatenate([v, ones], axis=1)
        keys = (
            _blocks(problem.k, columns),
            _blocks(values, columns),
            _blocks(jnp.arange(m), columns),
        )

        @jax.checkpoint
        def one_row(block) -> Tile:
            q, shift, index = block
            score = _scores(problem, q, index)
            return accumulate(score, shift, keys, values.shape[1])

        scaled = (problem.beta * problem.q, bound, jnp.arange(n))
        out, shift = jax.lax.map(one_row, tuple(_blocks(a, rows) for a in scaled))
        out = out.reshape(-1, values.shape[1])[:n]
        return Sums(shift.reshape(-1)[:n], out[:, -1], out[:, :-1])


def underflow_limit(dtype) -> float:
    """The largest 2 * bound at which the greatest term of every row keeps all its digits."""
    info = jnp.finfo(dtype)
    return math.log(info.eps) - math.log(info.tiny)


def _blocks(a: Array, size: int) -> Array:
    """a [n, ...] as [ceil(n/size), size, ...], padded with zeros: points of no weight."""
    pad = -a.shape[0] % size
    a = jnp.pad(a, [(0, pad)] + [(0, 0)] * (a.ndim - 1))
    return a.reshape(-1, size, *a.shape[1:])


def _scores(problem: ExponentialSum, q: Float[Array, "a p"], rows: Int[Array, " a"]) -> Callable:
    """The logits of one block of queries as a function of a block of keys."""

    def score(k: Float[Array, "b p"], columns: Int[Array, " b"]) -> Float[Array, "a b"]:
        logits = q @ k.T
        if problem.mask is None:
            return logits
        return logits + problem.mask.bias(rows, columns).astype(logits.dtype)

    return score


def _bounded(score: Callable, shift: Float[Array, " a"], keys, width: int) -> Tile:
    @jax.checkpoint
    def step(total, block):
        k, values, columns = block
        return total + jnp.exp(score(k, columns) - shift[:, None]) @ values, None

    zero = jnp.zeros((shift.shape[0], width), shift.dtype)
    return jax.lax.scan(step, zero, keys)[0], shift


def _online(score: Callable, shift: Float[Array, " a"], keys, width: int) -> Tile:
    @jax.checkpoint
    def step(carry, block):
        total, top = carry
        k, values, columns = block
        logits = score(k, columns)
        new = jnp.maximum(top, largest_logit(logits, values[:, -1]))
        fixed = jnp.where(jnp.isfinite(new), new, 0)
        weights = exponentials(logits, fixed)
        return (total * jnp.exp(top - fixed)[:, None] + weights @ values, new), None

    start = jnp.zeros((shift.shape[0], width), shift.dtype), jnp.full_like(shift, -jnp.inf)
    return jax.lax.scan(step, start, keys)[0]
