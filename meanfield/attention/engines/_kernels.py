"""Sums over pairs as one kernel of a GPU or TPU, written in Pallas: no block of weights leaves the chip."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._typing import Masses

Tile = Float[Array, "_ _"]


class Fold(NamedTuple):
    """What a kernel makes of a block of pairs, and how blocks are put together.

    `visit(left, right)` gets a function of the number of a column of the queries, which returns it as
    [block, 1], and one of the rows of the keys, as [1, block]; it returns `width` columns [block, 1].
    """

    visit: Callable[[Callable[[int], Tile], Callable[[int], Tile]], Sequence[Tile]]
    combine: Callable[[Any, Any], Any]
    start: float
    width: int


BLOCKS = {"gpu": (32, 128), "tpu": (256, 512)}
"""Queries and keys of a block: on a GPU enough programs for all its processors at some thousand queries, and
32 pairs a thread; on a TPU whole vector registers."""


def largest_logits(
    q: Float[Array, "n p"],
    k: Float[Array, "m p"],
    w: Masses,
    device: str,
    interpret: bool,
) -> Float[Array, " n"]:
    """max_j <q_i, k_j> over the keys that have weight; -inf if there is none."""
    p = q.shape[1]

    def visit(left, right):
        logits = jnp.where(right(p) > 0, _logits(left, right, p), -jnp.inf)
        return [logits.max(axis=1, keepdims=True)]

    fold = Fold(visit, jnp.maximum, -jnp.inf, 1)
    return _run(fold, q, jnp.concatenate([k, w[:, None]], axis=1), device, interpret)[:, 0]


def shifted_sums(
    q: Float[Array, "n p"],
    shift: Float[Array, " n"],
    k: Float[Array, "m p"],
    v: Float[Array, "m e"],
    bounded: bool,
    device: str,
    interpret: bool,
) -> Float[Array, "n e"]:
    """sum_j e^{<q_i, k_j> - shift_i} v_j, in whose last column the weights stand.

    `bounded` says that no logit lies above the shift; otherwise those of keys without weight may, and
    are left out. No minimum is taken, for a GPU's forgets NaN.
    """
    p, e = q.shape[1], v.shape[1]

    def visit(left, right):
        weights = jnp.exp(_logits(left, right, p) - left(p))
        if not bounded:
            weights = jnp.where(right(p + e - 1) > 0, weights, 0)
        return [(weights * right(p + c)).sum(axis=1, keepdims=True) for c in range(e)]

    queries, keys = jnp.concatenate([q, shift[:, None]], axis=1), jnp.concatenate([k, v], axis=1)
    return _run(Fold(visit, jnp.add, 0.0, e), queries, keys, device, interpret)


def _logits(left, right, p: int) -> Tile:
    """<q_i, k_j> of a block, coordinate by coordinate: nothing is rounded to fewer digits."""
    return functools.reduce(jnp.add, (left(c) * right(c) for c in range(p)))


def _run(
    fold: Fold,
    queries: Float[Array, "n a"],
    keys: Float[Array, "m b"],
    device: str,
    interpret: bool,
) -> Float[Array, "n _"]:
    """The fold of all keys, for each query."""
    n, m = len(queries), len(keys)
    rows, columns = BLOCKS[device]
    queries = jnp.pad(queries, [(0, -n % rows), (0, 0)])
    keys = jnp.pad(keys, [(0, -m % columns), (0, 0)]).T  # points of no weight
    call = _on_gpu if device == "gpu" else _on_tpu
    return call(fold, queries, keys, interpret)[:n]


def _on_gpu(fold: Fold, queries, keys, interpret: bool) -> Array:
    """A program for each block of queries, which loops over the keys: programs run in no order."""
    from jax.experimental import pallas as pl
    from jax.experimental.pallas import triton

    rows, columns = BLOCKS["gpu"]
    (n, a), (b, m) = queries.shape, keys.shape

    def body(queries, keys, out):
        own = [queries[:, c : c + 1] for c in range(a)]

        def step(j, kept):
            at = pl.ds(j * columns, columns)
            found = fold.visit(own.__getitem__, lambda c: keys[c : c + 1, at])
            return tuple(map(fold.combine, kept, found))

        start = jnp.full((rows, 1), fold.start, queries.dtype)
        last = jax.lax.fori_loop(0, m // columns, step, (start,) * fold.width)
        for c, column in enumerate(last):
            out[:, c : c + 1] = column

    return pl.pallas_call(
        body,
        grid=(n // rows,),
        in_specs=[
            pl.BlockSpec((rows, a), lambda i: (i, 0)),
            pl.BlockSpec((b, m), lambda i: (0, 0)),
        ],
        out_specs=pl.BlockSpec((rows, fold.width), lambda i: (i, 0)),
        out_shape=jax.ShapeDtypeStruct((n, fold.width), queries.dtype),
        compiler_params=triton.CompilerParams(num_warps=4, num_stages=2),
        interpret=interpret,
    )(queries, keys)


def _on_tpu(fold: Fold, queries, keys, interpret: bool) -> Array:
    """A grid of blocks in order, the keys innermost: the sums of a row of it stay on the chip."""
    from jax.experimental import pallas as pl
    from jax.experimental.pallas import tpu

    rows, columns = BLOCKS["tpu"]
    (n, a), (b, m) = queries.shape, keys.shape

    def body(queries, keys, out):
        @pl.when(pl.program_id(1) == 0)
        def _():
            out[...] = jnp.full(out.shape, fold.start, out.dtype)

        found = fold.visit(lambda c: queries[:, c : c + 1], lambda c: keys[c : c + 1, :])
        for c, column in enumerate(found):
            out[:, c : c + 1] = fold.combine(out[:, c : c + 1], column)

    return pl.pallas_call(
        body,
        grid=(n // rows, m // columns),
        in_specs=[
            pl.BlockSpec((rows, a), lambda i, j: (i, 0)),
            pl.BlockSpec((b, columns), lambda i, j: (0, j)),
        ],
        out_specs=pl.BlockSpec((rows, fold.width), lambda i, j: (i, 0)),
        out_shape=jax.ShapeDtypeStruct((n, fold.width), queries.dtype),
        compiler_params=tpu.CompilerParams(dimension_semantics=("parallel", "arbitrary")),
        interpret=interpret,
    )(queries, keys)
