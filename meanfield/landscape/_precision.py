"""Double precision for what runs on the host, whatever precision is the default."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def in_double(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """A function of arrays and modules that computes in float64, and whose results are rounded to their
    precision.

    Continuation tells states from those that exist by truncation only by residuals of 1e-8, below the
    rounding of single precision: there it has no answer at all.
    """

    @functools.wraps(function)
    def computed(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        precision, integers = precision_of((args, kwargs)), jnp.result_type(int).name
        if precision == "float64":
            return function(*args, **kwargs)
        with jax.enable_x64(True):
            args, kwargs = jax.tree.map(
                lambda leaf: _cast(leaf, "float64", "int64"), (args, kwargs)
            )
            found = function(*args, **kwargs)
            return jax.tree.map(lambda leaf: _cast(leaf, precision.name, integers), found)

    return computed


def precision_of(tree: Any) -> jnp.dtype:
    """The precision of the numbers of a tree, such as an attention; the default if it has none."""
    arrays = [leaf for leaf in jax.tree.leaves(tree) if eqx.is_inexact_array(leaf)]
    return jnp.result_type(*arrays or [float])


def _cast(leaf: Any, floats: str, integers: str) -> Any:
    """An array of numbers in another precision; anything else as it is."""
    if not isinstance(leaf, jax.Array) or jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return leaf
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        return leaf.astype(floats)
    return leaf.astype(integers) if jnp.issubdtype(leaf.dtype, jnp.integer) else leaf
