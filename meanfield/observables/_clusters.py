import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._checks import check_nonnegative
from .._door import door
from .._products import sums_by_label
from .._shown import AbstractShown
from .._typing import Labels, Points, Weights
from ..geometry import AbstractGeometry
from ._cloud_checks import known, map_rows, masses, on_geometry, within


class Clusters(AbstractShown):
    """A partition of a cloud, in arrays of fixed shapes.

    A cluster is named by its member of least index: `labels[i]` is that index. `sizes` and `masses`
    hold, at that index, the number and the mass of the members, and 0 elsewhere. A cloud with NaN or
    infinite coordinates, as a compiled run may hold, has no clusters: `count` 0, labels -1, masses NaN.
    """

    count: Int[Array, ""]
    labels: Labels
    sizes: Int[Array, " n"]
    masses: Float[Array, " n"]


def clusters(
    x: Points,
    tolerance: Float[Array, ""] | float = 1e-3,
    w: Weights | None = None,
    geometry: AbstractGeometry | None = None,
) -> Clusters:
    """Single-linkage clusters: components of the graph of pairs at distance <= tolerance.

    Distances are great-circle angles between unit vectors, or those of `geometry`. A tolerance is good
    if it lies well between the diameter of a settled cluster and the gap between clusters: then the
    count is the same at a tenth and at ten times the tolerance, which is worth checking. 1e-3 fits
    settled states of an accurate integration. A cloud that is still moving holds chains, which single
    linkage follows: n uniform tokens on the circle are one cluster once n tolerance is large.

    Cost O(n^2 d) a sweep, in blocks, with about log n sweeps. Raises ValueError for a negative
    tolerance, and for points off the geometry.
    """
    x, geometry = on_geometry(x, geometry)
    tolerance = check_nonnegative(tolerance, "tolerance").astype(x.dtype)
    n, w = x.shape[0], masses(w, x)
    labels = _components(x, tolerance, geometry)
    finite = jnp.isfinite(x).all()
    sizes = jnp.zeros(n, int).at[labels].add(finite.astype(int))
    return Clusters(
        (sizes > 0).sum(),
        jnp.where(finite, labels, -1),
        sizes,
        known(x, sums_by_label(labels, w, n)),
    )


@door
def members(found: Clusters) -> list[np.ndarray]:
    """The indices of each cluster's members among those `found`, the heaviest cluster first (on the
    host, not traced)."""
    labels, mass = np.asarray(found.labels), np.asarray(found.masses)
    names = np.flatnonzero(np.asarray(found.sizes))
    return [
        np.flatnonzero(labels == name) for name in names[np.argsort(-mass[names], kind="stable")]
    ]


@eqx.filter_jit
def _components(x: Points, tolerance: Float[Array, ""], geometry: AbstractGeometry) -> Labels:
    """Least labels, spread over edges and then along labels of labels until nothing changes."""
    n = x.shape[0]

    def least_near(token: Float[Array, " d"], labels: Labels) -> Int[Array, ""]:
        return jnp.min(jnp.where(within(token, x, tolerance, geometry), labels, n))

    def sweep(carry):
        labels, _ = carry
        least = jnp.minimum(map_rows(lambda token: least_near(token, labels), x), labels)
        hooked = least.at[labels].min(least)
        shorter = hooked[hooked]
        return shorter, (shorter != labels).any()

    start = (jnp.arange(n), jnp.array(True))
    return jax.lax.while_loop(lambda carry: carry[1], sweep, start)[0]
