import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt

from ..._checks import check_integer
from ..._memory import block_side, cores
from ..._products import exact_products
from ._base import AbstractEngine, Sums, exponentials, keeps_digits, largest_logit
from ._exponential_sum import ExponentialSum
from ._side_by_side import added_up, loops_at_once

Visit = Callable[[Any, Float[Array, "a b"], Float[Array, "e b"]], Any]
"""(state of a block of queries, logits, values of a block of keys) -> state."""


def usual_side() -> int:
    """The side of blocks that suits the cores that this process may use: a core alone keeps a smaller
    block in its cache, and several, which share the work within a block, lose as much in sharing it."""
    return 512 if cores() == 1 else 1024


def own_side(d: int) -> int:
    """The side of blocks that suits a core beside others that work on blocks of their own."""
    return 384 if d < 64 else 512


class Blockwise(AbstractEngine):
    """The n x m sums block by block: exact to rounding, O(n + m) memory forward and backward.

    `block` is the side of the square blocks: by default 1024, and 512 where this process may use one
    core only. On a processor, tokens among themselves are summed by several loops side by side, a core
    each, over blocks of at most 384 or, from 64 coordinates on, 512. Where all logits are so bounded
    that no row can underflow (on the sphere, beta below 336 in float64 and 35 in float32)
    the weights are e^{l - bound} with no running maximum; otherwise, and under any mask, the maximum
    is carried along (Milakov and Gimelshein, arXiv 1805.02867). Blocks are computed again in the
    backward pass instead of being stored (Rabe and Staats, arXiv 2112.05682): a gradient costs about
    three times the field.
    """

    block: int = eqx.field(
        static=True, default_factory=usual_side, converter=lambda b: check_integer(b, "block")
    )

    def sums(self, problem: ExponentialSum) -> Sums:
        return _sums(problem, self.block)


@eqx.filter_jit
def _sums(problem: ExponentialSum, block: int) -> Sums:
    """One program: outside of jit, loops and conditions would be compiled at each call."""
    bound = jax.lax.stop_gradient(problem.bound())
    if problem.mask is not None:
        out, shift = _online(problem, block)
    else:
        by_bound, by_largest = (
            functools.partial(_bounded, block=block),
            lambda p, _: _online(p, block),
        )
        out, shift = jax.lax.cond(keeps_digits(bound.max()), by_bound, by_largest, problem, bound)
    return Sums(shift, out[:, -1], out[:, :-1])


def _bounded(
    problem: ExponentialSum, bound: Float[Array, " n"], block: int
) -> tuple[Array, Float[Array, " n"]]:
    """Sums under the bound, which no row needs to be lifted from; and that shift."""
    if not problem.mirrored:
        return shifted_sums(problem, bound, block), bound
    shift = jnp.full_like(bound, bound.max())
    return _mirrored_sums(problem, shift, block), shift


def shifted_sums(problem: ExponentialSum, shift: Float[Array, " n"], block: int) -> Array:
    """The moment and, in the last column, the mass under a given shift: linear in the values, so that
    nothing is stored for the backward pass."""

    def visitor(shift: Float[Array, " a"]) -> tuple[Any, Visit]:
        start = jnp.zeros((shift.shape[0], width(problem)), shift.dtype)
        return start, lambda total, logits, v: total + exponentials(logits, shift) @ v.T

    return _fold(problem, shift, block, visitor)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _mirrored_sums(problem: ExponentialSum, shift: Float[Array, " n"], block: int) -> Array:
    """The same between tokens and themselves under one shift: each block is computed once."""
    values = problem.weighted()
    sides = (problem.beta * problem.q, values), (problem.k, values)
    across, down = both_ways(*sides, shift[0], block, alone=True)
    return across + down


@_mirrored_sums.defjvp
@exact_products
def _mirrored_sums_jvp(block, primals, tangents):
    slope = jax.jvp(lambda p, shift: shifted_sums(p, shift, block), primals, tangents)[1]
    return _mirrored_sums(*primals, block), slope


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _online(problem: ExponentialSum, block: int) -> tuple[Array, Float[Array, " n"]]:
    """The same under the largest logit of each row, found on the way; and that logit."""

    def visitor(shift: Float[Array, " a"]) -> tuple[Any, Visit]:
        def visit(state, logits, values):
            total, top = state
            new = jnp.maximum(top, largest_logit(logits, values[-1]))
            fixed = finite(new)
            weights = exponentials(logits, fixed)
            return total * jnp.exp(top - fixed)[:, None] + weights @ values.T, new

        start = jnp.zeros((shift.shape[0], width(problem)), shift.dtype)
        return (start, jnp.full_like(shift, -jnp.inf)), visit

    return _fold(problem, jnp.zeros_like(problem.q[:, 0]), block, visitor)


@_online.defjvp
@exact_products
def _online_jvp(block, primals, tangents):
    # The shift cancels in whatever is made of the sums: it is held fixed, and the rest is linear.
    out, shift = _online(*primals, block)
    fixed = finite(shift)
    _, slope = jax.jvp(lambda problem: shifted_sums(problem, fixed, block), primals, tangents)
    return (out, shift), (slope, jnp.zeros_like(shift))


Side = tuple[Float[Array, "_ _"], Float[Array, "_ _"]]
"""Points [n, p], and their values times their weights [n, e]."""


def both_ways(
    left: Side, right: Side, shift: Float[Array, ""], block: int, alone: bool = False
) -> tuple[Float[Array, "n e"], Float[Array, "m e"]]:
    """What the points of either side take from the other, sum_j e^{<q_i, k_j> - shift} v_j and the
    same over i: each block of the matrix serves its rows and its columns.

    `alone` says that both sides are the same tokens: blocks below the diagonal are left out, and those
    on it taken once, so that the two results add up to the sums.
    """
    if loops_at_once() > 1:
        block = min(block, own_side(left[0].shape[1]))
    queries, given = (_blocks(a, block_side(len(a), block)) for a in left)
    keys, taken = (_blocks(a, block_side(len(a), block)) for a in right)
    # Columns beside rows, so that neither product needs a transposed copy of a block.
    keys, across = jnp.moveaxis(keys, 1, 2), jnp.moveaxis(given, 1, 2)

    def step(sums, i, j):
        rows, columns = sums
        (q, a), (k, t) = (_at(i, queries, across), _at(j, keys, taken))
        logits = q @ k
        weights = jnp.exp(logits - shift)
        gained, mirror = weights @ t, a @ weights
        scratch = q, a, k, t, logits, weights, gained, mirror
        once = (i != j).astype(mirror.dtype) * mirror if alone else mirror
        return (_increased(rows, i, gained), _increased(columns, j, once)), scratch

    grid = queries.shape[0], keys.shape[0]
    pairs = np.stack(np.triu_indices(grid[0]), axis=1) if alone else np.argwhere(np.ones(grid))
    start = jnp.zeros_like(given), jnp.zeros_like(jnp.moveaxis(taken, 1, 2))
    rows, columns = added_up(step, start, pairs)
    return _joined(rows, left[0]), _joined(jnp.moveaxis(columns, 1, 2), right[0])


def _at(i: UInt[Array, ""], *blocks: Float[Array, "blocks _ _"]) -> list[Float[Array, "_ _"]]:
    return [jax.lax.dynamic_index_in_dim(a, i, keepdims=False) for a in blocks]


def _increased(
    sums: Float[Array, "blocks _ _"], i: UInt[Array, ""], by: Float[Array, "_ _"]
) -> Array:
    old = jax.lax.dynamic_slice_in_dim(sums, i, 1)
    return jax.lax.dynamic_update_slice_in_dim(sums, old + by, i, 0)


def _joined(blocks: Float[Array, "blocks size e"], points: Float[Array, "n p"]) -> Array:
    """The rows of blocks, without padding."""
    return blocks.reshape(-1, blocks.shape[-1])[: points.shape[0]]


def _fold(
    problem: ExponentialSum,
    shift: Float[Array, " n"],
    block: int,
    visitor: Callable[[Float[Array, " a"]], tuple[Any, Visit]],
) -> Any:
    """For each block of queries, the last state of `visitor(its shift)` after all blocks of keys.

    Keys and values are laid out as columns: their cotangents are then products that need no
    transposed copy of a block, which would cost more than the block itself.
    """
    n, m = problem.q.shape[0], problem.k.shape[0]
    parts = (problem.k, problem.weighted(), jnp.arange(m))
    keys = tuple(jnp.moveaxis(_blocks(a, block_side(m, block)), 1, -1) for a in parts)

    def row(queries):
        q, shift, rows = queries
        start, visit = visitor(shift)

        @jax.checkpoint
        def step(state, keys):
            k, values, columns = keys
            logits = q @ k
            if problem.mask is not None:
                logits = logits + problem.mask.bias(rows, columns).astype(logits.dtype)
            return visit(state, logits, values), None

        return jax.lax.scan(step, start, keys)[0]

    queries = (problem.beta * problem.q, shift, jnp.arange(n))
    last = jax.lax.map(row, tuple(_blocks(a, block_side(n, block)) for a in queries))
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:n], last)


def _blocks(a: Array, size: int) -> Array:
    """a [n, ...] as [ceil(n/size), size, ...], padded with zeros: points of no weight."""
    pad = -a.shape[0] % size
    a = jnp.pad(a, [(0, pad)] + [(0, 0)] * (a.ndim - 1))
    return a.reshape(-1, size, *a.shape[1:])


def finite(shift: Float[Array, " n"]) -> Float[Array, " n"]:
    """0 where no key has weight."""
    return jnp.where(jnp.isfinite(shift), shift, 0)


def width(problem: ExponentialSum) -> int:
    """Columns of the moment, and one for the mass."""
    return 1 + (problem.y.shape[1] if problem.value is None else problem.value.shape[0])
