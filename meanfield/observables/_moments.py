import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_dimension, check_integer
from .._products import weighted_sum
from .._typing import Points, Scalar, Weights
from ..geometry import Euclidean
from ..harmonics import zonal_polynomials
from ._cloud_checks import cloud, known, map_rows, masses, on_sphere

_NARROW = 5
"""Columns from which on a product with the transpose is added up in parts, and not in order."""


def mean_resultant(x: Points, w: Weights | None = None) -> Scalar:
    """The length R = |sum_i w_i x_i|: 1 for one cluster, about n^{-1/2} for n uniform tokens.

    The gradient at R = 0, where there is none, is 0. Raises ValueError for tokens off the sphere.
    """
    x = on_sphere(x)
    return Euclidean(x.shape[1]).distance(weighted_sum(masses(w, x), x), jnp.zeros_like(x[0]))


def second_moment(x: Points, w: Weights | None = None) -> Float[Array, "d d"]:
    """The matrix sum_i w_i x_i x_i^T, of trace 1 on the sphere; it is I/d for a uniform cloud."""
    x = cloud(x)
    w = masses(w, x)
    if x.shape[1] < _NARROW:
        return weighted_sum(w, x[:, :, None] * x[:, None, :])
    return x.T @ (w[:, None] * x)


def alignment(x: Points, w: Weights | None = None) -> Scalar:
    """The mean inner product of two distinct tokens, sum_{i != j} w_i w_j <x_i, x_j> / sum w_i w_j.

    Its mean is exactly 0 for independent uniform tokens, whatever n. On an equiangular cloud it is
    the common inner product. Cost O(n d). NaN if all mass is on one token.
    Raises ValueError if n < 2.
    """
    x = cloud(x, least=2)
    w = masses(w, x)
    mean, alone = weighted_sum(w, x), w**2
    return (mean @ mean - weighted_sum(alone, jnp.sum(x * x, axis=1))) / (
        w.sum() ** 2 - alone.sum()
    )


def degree_moment(x: Points, k: int, w: Weights | None = None) -> Scalar:
    """The order parameter of degree k on S^{d-1}, sum_ij w_i w_j P_k(<x_i, x_j>).

    P_k is the Gegenbauer polynomial of the sphere with P_k(1) = 1 (cos(k angle) for d = 2, Legendre
    for d = 3). By the addition theorem the sum is nonnegative: it is the squared length of the
    cloud's coefficients of degree k, divided by the number of harmonics. It is R^2 for k = 1, 1 for
    one cluster, 1/n in the mean for n uniform tokens, and 1 on the circle for k clusters at the
    corners of a regular polygon. Cost O(k n^2), in blocks.

    Raises ValueError if k < 0 or d < 2, and for tokens off the sphere.
    """
    x, k = on_sphere(x), check_integer(k, "k", 0)
    check_dimension(x.shape[1], least=2)
    return _degree_moment(x, masses(w, x), k)


@eqx.filter_jit
def _degree_moment(x: Points, w: Weights, k: int) -> Scalar:
    def polynomial(t: Float[Array, " n"]) -> Float[Array, " n"]:
        return next(itertools.islice(zonal_polynomials(x.shape[1], t), k, None))

    means = map_rows(lambda token: weighted_sum(w, polynomial(x @ token)), x)
    return weighted_sum(w, means)


def effective_rank(x: Points) -> Scalar:
    """exp(-sum_i p_i log p_i) with p the singular values of x divided by their sum.

    Between 1 (all tokens on one line) and min(n, d); k for k orthogonal clusters of equal mass.
    The tokens are not centred. The gradient is that among clouds of the same rank: towards a higher one
    the slope is infinite, and none is counted. Singular values below rounding count as 0. NaN if all
    tokens are 0: the rank does not depend on the scale, so that all numbers from 1 to min(n, d) are limits.

    Source: Roy and Vetterli (2007), The effective rank, EUSIPCO, definition 1.
    """
    x = cloud(x)
    values = jnp.linalg.svd(x, full_matrices=False, compute_uv=False)
    least = max(x.shape) * float(jnp.finfo(x.dtype).eps) * values.max()
    # The others do not count in the sum either: it has a slope towards higher ranks, and finite.
    values = jnp.where(values > least, values, 0)
    share = values / values.sum()
    # p log p of p = 1 in place of 0: both are 0, and this one has a slope.
    return known(x, jnp.exp(jax.scipy.special.entr(jnp.where(share == 0, 1, share)).sum()))
