"""Which arrays a program makes, loops and branches included: traced, not compiled or run."""

from collections.abc import Iterator

import jax
import numpy as np


def arrays_of(function, *args) -> list[tuple[str, tuple[int, ...]]]:
    """The operation and the shape of each array that `function(*args)` makes."""
    return [*_arrays(jax.make_jaxpr(function)(*args).jaxpr)]


def largest_array(function, *args) -> int:
    """The numbers in the largest of them."""
    return max(int(np.prod(shape)) for _, shape in arrays_of(function, *args))


def _arrays(jaxpr) -> Iterator[tuple[str, tuple[int, ...]]]:
    for equation in jaxpr.eqns:
        for out in equation.outvars:
            yield equation.primitive.name, tuple(getattr(out.aval, "shape", ()))
        for value in equation.params.values():
            for part in value if isinstance(value, tuple | list) else [value]:
                inner = getattr(part, "jaxpr", part)
                if hasattr(inner, "eqns"):
                    yield from _arrays(inner)
