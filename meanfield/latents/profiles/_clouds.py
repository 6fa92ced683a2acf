"""What is measured of the cloud of tokens at one layer."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._typing import Points
from ...energies import Interaction
from ...geometry import Sphere
from ...observables import (
    alignment,
    effective_rank,
    entropy_knn,
    intrinsic_dimension,
    merge_heights,
)

NAMES = {
    "entropy": "cap entropy of the directions, uniform being 0",
    "entropy_centred": "cap entropy of the directions about their mean",
    "entropy_error": "standard error of the entropy of one text",
    "alignment": "mean inner product of two directions",
    "alignment_centred": "mean inner product of two directions about their mean",
    "effective_rank": "effective rank of the directions",
    "dimension": "intrinsic dimension of the directions, by two neighbours",
    "radius": "mean length of the states",
    "radius_spread": "standard deviation of the lengths over their mean",
}
"""Quantities of one number a layer."""
SWEPT = {
    "energy": ("beta", "interaction energy of the directions, with offset beta"),
    "clusters": ("scale", "single-linkage clusters at an angle"),
}
"""Quantities of several numbers a layer, and along what."""


@eqx.filter_jit
def of_cloud(
    x: Points, betas: Float[Array, " beta"], scales: Float[Array, " scale"]
) -> dict[str, Array]:
    """The quantities above of one cloud [n, d] of distinct tokens, none of them 0."""
    radii = jnp.linalg.norm(x, axis=1)
    u = x / radii[:, None]
    c = Sphere(x.shape[1]).project(u - u.mean(axis=0))
    entropy, heights = entropy_knn(u), merge_heights(u)
    return {
        "entropy": entropy.value,
        "entropy_centred": entropy_knn(c).value,
        "entropy_error": entropy.standard_error,
        "alignment": alignment(u),
        "alignment_centred": alignment(c),
        "effective_rank": effective_rank(u),
        "dimension": intrinsic_dimension(u).value,
        "radius": radii.mean(),
        "radius_spread": radii.std() / radii.mean(),
        "energy": jax.lax.map(lambda beta: Interaction(beta, offset=beta)(u), betas),
        "clusters": 1 + jnp.sum(heights > scales[:, None], axis=1),
    }
