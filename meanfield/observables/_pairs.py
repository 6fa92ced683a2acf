import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._checks import check_integer
from .._products import weighted_sum
from .._typing import Points, Scalar, Weights
from ._cloud_checks import cloud, known, map_rows, masses, on_sphere

_TOGETHER = 256
"""Terms that are added in order: more would lose digits."""


def inner_products(x: Points) -> Float[Array, " pairs"]:
    """<x_i, x_j> of the n(n-1)/2 pairs i < j, in the order (0,1), (0,2), ..., (1,2), ...

    It holds n^2 numbers; `inner_product_histogram` of a trajectory is lighter to store.
    Raises ValueError if n < 2.
    """
    x = cloud(x, least=2)
    return (x @ x.T)[np.triu_indices(x.shape[0], 1)]


def inner_product_histogram(
    x: Points, bins: int = 50, w: Weights | None = None
) -> Float[Array, " bins"]:
    """Share of the pairs i < j in each of `bins` equal bins of <x_i, x_j> in [-1, 1].

    The edges are `linspace(-1, 1, bins + 1)` and the shares sum to 1; a pair counts w_i w_j. Peaks
    are clusters, and the empty valley left of 1 is where a tolerance for `clusters` belongs. Cost
    O(n^2 d), a block of rows at a time.
    NaN if all mass is on one token. Raises ValueError if n < 2 or bins < 1, and for tokens off the sphere.
    """
    x = on_sphere(x, least=2)
    return known(x, _histogram(x, masses(w, x), check_integer(bins, "bins")))


@functools.partial(jax.jit, static_argnames="bins")
def _histogram(x: Points, w: Weights, bins: int) -> Float[Array, " bins"]:
    order = jnp.arange(len(w))
    part, parts = order // _TOGETHER, -(-len(w) // _TOGETHER)

    def row(token: Float[Array, " d"], i: Int[Array, ""]) -> Float[Array, " bins"]:
        slot = jnp.clip(jnp.floor((x @ token + 1) * (bins / 2)), 0, bins - 1).astype(int)
        found = jnp.zeros((parts, bins), w.dtype).at[part, slot].add(jnp.where(order == i, 0, w))
        return found.sum(axis=0)

    shares = weighted_sum(w, map_rows(row, x, order))
    return shares / shares.sum()


def min_inner_product(x: Points) -> Scalar:
    """min over pairs of <x_i, x_j>: above 0, all tokens lie within a right angle of each other.

    It holds a block of rows at a time. Raises ValueError if n < 2.
    """
    x = cloud(x, least=2)
    # A token's product with itself is the largest of its row, so it may stay.
    return _least_product(x)


@eqx.filter_jit
def _least_product(x: Points) -> Scalar:
    return map_rows(lambda token: jnp.min(x @ token), x).min()
