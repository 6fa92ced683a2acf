"""Products of matrices that keep the digits of their input, on every device."""

import contextlib
import functools
from collections.abc import Callable
from typing import TypeVar, cast

import jax

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


def _precision():
    # A processor has one precision: there, programs are not told apart by it.
    chosen = jax.config.jax_default_matmul_precision is not None  # type: ignore[attr-defined]
    if chosen or jax.default_backend() == "cpu":
        return contextlib.nullcontext()
    return jax.default_matmul_precision("highest")
