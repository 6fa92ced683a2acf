"""What this machine can do at most: its rate of exponentials and of matrix products, here and now."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._contest import stopwatch


@functools.cache
def rates(dtype: str) -> dict[str, float]:
    """Exponentials a second on arrays that stay in the caches, and operations a second of a product.

    Each is the best of seven short runs: a bound is not a typical value.
    """
    tile = jnp.linspace(-9.0, 0.0, 2**18, dtype=dtype)
    rounds = 32

    def exponentials(tile):
        step = lambda t, _: (jnp.exp(t - 1), None)
        return jax.lax.scan(step, tile, None, length=rounds)[0]

    side = 2048
    matrix = jnp.full((side, side), 1 / side, dtype)
    return {
        "exponentials": rounds * tile.size / _best(jax.jit(exponentials), tile),
        "flops": 2 * side**3 / _best(jax.jit(jnp.matmul), matrix, matrix),
    }


def bound(work: Mapping[str, float], dtype: str, seconds: float) -> dict[str, Any]:
    """The seconds that the exponentials alone and the products alone would take, and these as shares."""
    rate = rates(dtype)
    parts = {name: amount / rate[name] for name, amount in work.items()}
    shares = {f"share_{name}": part / seconds for name, part in parts.items()}
    return {"rates": rate, "seconds": parts, **shares}


def _best(function, *arguments) -> float:
    work = lambda: jax.block_until_ready(function(*arguments))
    work()
    return float(np.min([stopwatch(work)[0] for _ in range(7)]))
