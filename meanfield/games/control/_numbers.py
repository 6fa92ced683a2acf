from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float


def numbers_of(flow: Any, where: Callable[[Any], Any]) -> tuple[Float[Array, " k"], Callable]:
    """The numbers that are steered, in one row, and what makes them of a row."""
    real = eqx.filter(where(flow), eqx.is_inexact_array)
    flat, unravel = ravel_pytree(real)
    if not flat.size or not jnp.issubdtype(flat.dtype, jnp.floating):
        raise ValueError(
            "expected where to pick real numbers of the flow, got none; pass "
            "where=lambda flow: flow.attention.beta."
        )
    return flat, unravel


def with_numbers(flow: Any, where: Callable[[Any], Any], u: Float[Array, " _"]) -> Any:
    """The flow with u added to its numbers."""
    real, rest = eqx.partition(where(flow), eqx.is_inexact_array)
    flat, unravel = ravel_pytree(real)
    steered = unravel(flat + u[: flat.size].astype(flat.dtype))
    return eqx.tree_at(where, flow, eqx.combine(steered, rest))
