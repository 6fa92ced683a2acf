import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from ..._typing import Scalar

NODES = 256
"""Gauss-Legendre nodes a panel: integrands that are analytic on the scale of a fifteenth of it are
integrated to rounding."""


def integrate(function: Callable, start: Scalar, end: Scalar, turn: Scalar | float = 0.0) -> Scalar:
    """The integral of a function that is analytic about the line, and constant to rounding where it is
    farther than 45 from `turn`: by Gauss-Legendre quadrature, in panels that are cut there."""
    nodes, weights = _rule()
    nodes, weights = jnp.asarray(nodes, start.dtype), jnp.asarray(weights, start.dtype)
    cuts = jnp.clip(turn + jnp.array([-45.0, 0.0, 45.0], start.dtype), start, end)
    edges = jnp.concatenate([start[None], cuts, end[None]])
    half = jnp.diff(edges)[:, None] / 2
    values = jax.vmap(jax.vmap(function))(edges[:-1, None] + half * (1 + nodes))
    # What overflows outside of the interval is no part of the integral.
    return jnp.sum(jnp.where(half > 0, half * weights * values, 0))


@functools.cache
def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [-1, 1], which take longer than what is done with them."""
    return np.polynomial.legendre.leggauss(NODES)
