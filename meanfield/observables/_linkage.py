import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._typing import Points
from ..geometry import AbstractGeometry, Euclidean, Sphere
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
    return known(x, _heights(x, geometry))


@eqx.filter_jit
def _heights(x: Points, geometry: AbstractGeometry) -> Float[Array, " merges"]:
    n = x.shape[0]
    # Chords rank as distances do on both geometries, at a fraction of the cost.
    ranked = isinstance(geometry, Sphere | Euclidean)
    reach = _squares if ranked else lambda x, token: geometry.distance(_all(token, x), x)

    def grow(carry, _):
        newest, outside, nearest, parent = carry
        found = reach(x, x[newest])
        closer = found < nearest
        nearest = jnp.where(outside & closer, found, jnp.where(outside, nearest, jnp.inf))
        parent = jnp.where(closer, newest, parent)
        newest = jnp.argmin(nearest)
        return (newest, outside.at[newest].set(False), nearest, parent), (newest, parent[newest])

    outside = jnp.ones(n, bool).at[0].set(False)
    start = jnp.asarray(0), outside, jnp.full(n, jnp.inf, x.dtype), jnp.zeros(n, int)
    ends = jax.lax.scan(grow, start, length=n - 1)[1]
    return jnp.sort(geometry.distance(x[ends[0]], x[ends[1]]))


def _squares(x: Points, token: Float[Array, " d"]) -> Float[Array, " n"]:
    return jnp.sum((x - token) ** 2, axis=1)


def _all(token: Float[Array, " d"], x: Points) -> Points:
    return jnp.broadcast_to(token, x.shape)
