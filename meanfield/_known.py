"""What is known while a program is traced, and what only once it runs."""

import contextlib
from typing import Any

import jax
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
