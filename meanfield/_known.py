"""What is known while a program is traced, and what only once it runs."""

import contextlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.core import Tracer


def is_concrete(x) -> bool:
    """Whether the value of `x` is known now, and not only once a traced program runs."""
    return not isinstance(x, Tracer)


def all_known(values: Any) -> bool:
    """Whether all numbers of a tree are known now."""
    return all(map(is_concrete, jax.tree.leaves(values)))


def at_once(*values: Any) -> contextlib.AbstractContextManager:
    """A context in which what is made of known values is known too: under jit it would be traced."""
    return jax.ensure_compile_time_eval() if all_known(values) else contextlib.nullcontext()


def all_of(tests: Sequence[Any]) -> Any:
    """Whether all of these hold: a truth value where they are known, else a traced one."""
    return all(map(bool, tests)) if all_known(tests) else jax.numpy.stack(tests).all()


def at_hand(x: Any) -> tuple[Any, Any]:
    """An array for a look at its values, and the library whose functions look: NumPy where the values
    are known and in the memory of this machine, so that no program is compiled for each shape."""
    if isinstance(x, jax.Array) and is_concrete(x):
        devices = x.devices()
        if len(devices) == 1 and next(iter(devices)).platform == "cpu":
            return np.asarray(x), np
    return x, jax.numpy


def all_finite(x: Any) -> Any:
    """Whether all numbers of an array are finite."""
    values, library = at_hand(x)
    return library.isfinite(values).all()
