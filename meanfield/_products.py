"""Products and sums that keep the digits of their input, on every device."""

import contextlib
import functools
from collections.abc import Callable
from typing import TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

_Function = TypeVar("_Function", bound=Callable)

_TOGETHER = 2**10
"""Terms of a product of matrices that may be added up in order: the error grows with them."""

_NARROW = 16
"""Columns from which on a product of several rows is added up in such parts by itself."""


def exact_products(function: _Function) -> _Function:
    """The function, whose products of float32 matrices are rounded as float32.

    Accelerators round the factors to fewer bits by default, TF32 on GPUs and bfloat16 on TPUs, which
    leaves 3 of 7 digits. Where the user has set `jax_default_matmul_precision`, that holds.
    """

    @functools.wraps(function)
    def exactly(*args, **kwargs):
        with _precision():
            return function(*args, **kwargs)

    return cast(_Function, exactly)


def weighted_sum(
    w: Float[Array | np.ndarray, " n"], values: Float[Array, "n ..."]
) -> Float[Array, "..."]:
    """sum_i w_i values_i, to rounding however many terms there are.

    The product `w @ values` is added up in order on a processor: a million equal terms in float32 are off
    by a hundredth. A sum is added up as a tree.
    """
    return jnp.sum(w.reshape(w.shape + (1,) * (values.ndim - 1)) * values, axis=0)


def row_sums(weights: Float[Array, "n m"], values: Float[Array, "m ..."]) -> Float[Array, "n ..."]:
    """sum_j weights_ij values_j: `weights @ values`, to rounding however many terms there are.

    Products with one row or one column are added up as trees, others in float32 in parts: a processor
    adds some thousand terms to each entry in order.
    """
    if values.ndim == 1:
        return jnp.sum(weights * values, axis=1)
    (n, m), parts = weights.shape, -(-values.shape[0] // _TOGETHER)
    if n == 1:
        return weighted_sum(weights[0], values)[None]
    if parts < 4 or values.dtype != jnp.float32 or values.shape[1] >= _NARROW:
        return weights @ values
    size = -(-m // parts)
    weights = jnp.pad(weights, [(0, 0), (0, parts * size - m)]).reshape(n, parts, size)
    values = jnp.pad(values, [(0, parts * size - m), (0, 0)]).reshape(parts, size, -1)
    return jnp.einsum("nps,pse->pne", weights, values).sum(axis=0)


def sums_by_label(
    labels: Int[Array, " k"], values: Float[Array, "k ..."], count: int
) -> Float[Array, "n ..."]:
    """sum of the values under each of the labels 0 ... count - 1, to rounding however many there are.

    Additions to one entry are made in order. In float32 many are added up as trees, over runs of equal
    labels.
    """
    if values.dtype == jnp.float32 and len(labels) > _TOGETHER:
        return _sums_of_runs(labels, values, count)
    return jnp.zeros((count, *values.shape[1:]), values.dtype).at[labels].add(values)


@functools.partial(jax.jit, static_argnames="count")
def _sums_of_runs(labels, values, count: int):
    def joined(left, right):
        name, total = right
        same = (left[0] == name).reshape(name.shape + (1,) * (total.ndim - 1))
        return name, total + jnp.where(same, left[1], 0)

    order = jnp.argsort(labels)
    names, sums = jax.lax.associative_scan(joined, (labels[order], values[order]))
    ends = jnp.where(jnp.append(names[1:] != names[:-1], True), names, count)
    none = jnp.zeros((count, *values.shape[1:]), values.dtype)
    return none.at[ends].set(sums, mode="drop")


def _precision():
    # A processor has one precision: there, programs are not told apart by it.
    chosen = jax.config.jax_default_matmul_precision is not None  # type: ignore[attr-defined]
    if chosen or jax.default_backend() == "cpu":
        return contextlib.nullcontext()
    return jax.default_matmul_precision("highest")
