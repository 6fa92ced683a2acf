import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._typing import Points
from ..geometry import AbstractGeometry
from ._cloud_checks import known, on_geometry


def merge_heights(x: Points, geometry: AbstractGeometry | None = None) -> Float[Array, " merges"]:
    """The n - 1 distances at which single-linkage clusters merge, in increasing order.

    They are the edges of the shortest tree through all tokens, and give the clusters at every scale at
    once: at a tolerance there are `1 + (heights > tolerance).sum()`, as `clusters` counts them.
    Distances are great-circle angles between unit vectors, or those of `geometry`.

    Cost O(n^2 d), memory O(n d). NaN for a cloud with NaN. Raises ValueError for fewer than two tokens,
    and for points off the geometry.

    Source: Gower and Ross (1969), doi:10.2307/2346439; the tree by Prim's algorithm.
    """
    x, geometry = on_geometry(x, geometry)
    n = x.shape[0]
    if n < 2:
        raise ValueError(f"expected two tokens or more, got {n}; a single one never merges.")

    def grow(carry, _):
        newest, outside, nearest = carry
        reach = geometry.distance(jnp.broadcast_to(x[newest], x.shape), x)
        nearest = jnp.where(outside, jnp.minimum(nearest, reach), jnp.inf)
        newest = jnp.argmin(nearest)
        return (newest, outside.at[newest].set(False), nearest), nearest[newest]

    outside = jnp.ones(n, bool).at[0].set(False)
    start = jnp.asarray(0), outside, jnp.full(n, jnp.inf, x.dtype)
    return known(x, jnp.sort(jax.lax.scan(grow, start, length=n - 1)[1]))
