"""Products and sums that keep the digits of their input, on every device."""

import contextlib
import functools
from collections.abc import Callable
from typing import TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_Function = TypeVar("_Function", bound=Callable)


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


def _precision():
    # A processor has one precision: there, programs are not told apart by it.
    chosen = jax.config.jax_default_matmul_precision is not None  # type: ignore[attr-defined]
    if chosen or jax.default_backend() == "cpu":
        return contextlib.nullcontext()
    return jax.default_matmul_precision("highest")
