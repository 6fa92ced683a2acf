"""The field that a Gaussian cloud causes, where it is affine: then the cloud stays Gaussian."""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import as_array, check_precision
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...transport.costs import symmetric_root
from ..engines import check_columns
from ..masks import AbstractMask


class AffineField(AbstractShown):
    """The field x -> velocity + gain (x - mean) of a cloud with this mean."""

    velocity: Float[Array, " e"]
    gain: Float[Array, "e d"]


@runtime_checkable
class GaussianAttention(Protocol):
    """An attention whose field is affine wherever the cloud that causes it is Gaussian."""

    def gaussian_field(self, mean: Float[Array, " d"], cov: Float[Array, "d d"]) -> AffineField:
        """The field that the cloud N(mean, cov) causes."""
        ...


def logit_matrix(
    beta: Scalar,
    query: Float[Array, "p a"] | None,
    key: Float[Array, "p b"] | None,
    mean: Float[Array, " d"],
) -> Float[Array, "d d"]:
    """A = beta K^T Q, with which the logits are <A x, y> = beta <Q x, K y>, in the dtype of mean."""
    q, k = (in_coordinates(m, mean, name) for m, name in ((query, "query"), (key, "key")))
    return beta.astype(mean.dtype) * k.T @ q


def in_coordinates(
    matrix: Float[Array, "p c"] | None, mean: Float[Array, " d"], name: str
) -> Float[Array, "rows d"]:
    """A matrix that acts on the space of the mean; the identity for None."""
    if matrix is None:
        return jnp.eye(mean.shape[0], dtype=mean.dtype)
    return check_columns(matrix, mean.shape[0], name).astype(mean.dtype)


def check_moments(mean, cov) -> tuple[Float[Array, " d"], Float[Array, "d d"]]:
    """A mean [d] and a covariance [d, d]: of these, the shapes."""
    mean, cov = (check_precision(as_array(a, n), n) for a, n in ((mean, "mean"), (cov, "cov")))
    if mean.ndim != 1 or mean.size == 0 or cov.shape != (mean.size, mean.size):
        raise ValueError(
            f"expected a mean [d] and a cov [d, d], got {list(mean.shape)} and {list(cov.shape)}; "
            "pass one number a coordinate, and a square matrix."
        )
    return mean, cov


def refuse_mask(mask: AbstractMask | None) -> None:
    """ValueError if there is a mask: the tokens of a law have no order."""
    if mask is not None:
        raise ValueError(
            "expected an attention without mask for a Gaussian cloud, whose tokens have no order; "
            "simulate the particles with AttentionFlow."
        )


def refuse_places(parts: Iterable[Any]) -> None:
    """ValueError if there is a bias or a rotation of queries and keys."""
    if any(part is not None for part in parts):
        raise ValueError(
            "expected an attention without biases and rotary for a Gaussian cloud, whose tokens have no "
            "order; simulate the particles with AttentionFlow."
        )


def doubly_stochastic_gain(
    logits: Float[Array, "d d"], cov: Float[Array, "d d"]
) -> Float[Array, "d d"]:
    """The matrix M of E[y | x] = m + M (x - m) under the Sinkhorn plan of N(m, S) with itself.

    The plan with the kernel e^{<A x, y>} is the Gaussian whose conditional covariance
    C = S - M S M^T has M = C A. With M = S^{1/2} N S^{-1/2} and B = S^{1/2} A S^{1/2} that is
    N = (I - N N^T) B, whose solution N = 2 (I + (I + 4 B B^T)^{1/2})^{-1} B is read off the singular
    values, n = (1 - n^2) b. No inverse of A or S is taken: either may be singular.
    """
    root = symmetric_root(cov)
    b = root @ logits @ root
    one = jnp.eye(len(cov), dtype=cov.dtype)
    return 2 * root @ jnp.linalg.solve(one + symmetric_root(one + 4 * b @ b.T), root @ logits)
