"""What the studies of clustering share: starts, and pairs of tokens."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._typing import Key, Points
from ...measures import Uniform


def disjoint_products(x: Points) -> Float[Array, " half"]:
    """<x_1, x_2>, <x_3, x_4>, ...: exchangeable tokens give each pair the same law.

    Pairs that share no token are the cheapest average over pairs, O(nd), and independent at the start.
    """
    half = 2 * (x.shape[0] // 2)
    return jnp.sum(x[0:half:2] * x[1:half:2], axis=-1)


def within_span(x: Float[Array, "r n d"]) -> Float[Array, "r n k"]:
    """Each cloud in coordinates of its own span, k = min(n, d).

    Where d > n the Gram matrix is x x^T = L L^T, so that x = L Q with orthonormal rows of Q: with
    identity matrices the rows of L evolve as the tokens do, with the same inner products. This is
    exact, and d = 1024 costs no more than d = n. On the host, where there is nothing to compile.
    """
    if x.shape[2] <= x.shape[1]:
        return x
    tokens = np.asarray(x)
    return jnp.asarray(np.linalg.cholesky(tokens @ tokens.swapaxes(1, 2)))


def uniform_starts(key: Key, realizations: int, n: int, d: int) -> Float[Array, "r n k"]:
    """Clouds of n uniform tokens on S^{d-1}, each within its span."""
    return within_span(Uniform(d).sample(key, realizations * n).reshape(realizations, n, d))
