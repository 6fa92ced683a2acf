import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_draws, check_finite, check_vector, guard, tolerance
from .._typing import Key, Points, Scalar, Vectors
from ..geometry import Euclidean
from ._base import AbstractMeasure


class Gaussian(AbstractMeasure):
    """The normal law N(mean, cov) on R^d, with density against Lebesgue measure.

    mean has shape [d], cov [d, d]. The entropy is (d/2) log(2 pi e) + (1/2) log det cov.

    Raises ValueError if the shapes disagree, or if cov is not symmetric positive definite.
    """

    geometry: Euclidean
    mean: Float[Array, " d"]
    cov: Float[Array, "d d"]

    def __init__(self, mean: Float[Array, " d"], cov: Float[Array, "..."]):
        self.mean = check_vector(mean, "mean")
        self.cov = _check_covariance(cov, self.mean.shape[0])
        self.geometry = Euclidean(self.mean.shape[0])

    def sample(self, key: Key, n: int) -> Points:
        key, n = check_draws(key, n)
        noise = jax.random.normal(key, (n, self.d), self.mean.dtype)
        return self.mean + noise @ jnp.linalg.cholesky(self.cov).T

    def log_density(self, x: Vectors) -> Float[Array, "*batch"]:
        x = self.points(x)
        root = jnp.linalg.cholesky(self.cov)
        centred = (x - self.mean).reshape(-1, self.d)
        white = jax.scipy.linalg.solve_triangular(root, centred.T, lower=True)
        square = jnp.sum(white * white, axis=0).reshape(x.shape[:-1])
        return -(square + self.d * math.log(2 * math.pi)) / 2 - _half_log_det(root)

    def entropy(self) -> Scalar:
        root = jnp.linalg.cholesky(self.cov)
        return self.d / 2 * (1 + math.log(2 * math.pi)) + _half_log_det(root)


def _half_log_det(root: Float[Array, "d d"]) -> Scalar:
    return jnp.sum(jnp.log(jnp.diag(root)))


def _check_covariance(cov, d: int) -> Float[Array, "d d"]:
    cov = check_finite(cov, "cov")
    if cov.shape != (d, d):
        raise ValueError(
            f"expected cov of shape [{d}, {d}] for a mean of length {d}, got {list(cov.shape)}; "
            "for one variance s in every direction pass s * jnp.eye(d)."
        )
    skew = jnp.abs(cov - cov.T).max() <= tolerance(cov.dtype) * jnp.abs(cov).max()
    cov = guard(cov, skew, "expected a symmetric cov; pass (cov + cov.T) / 2.")
    positive = jnp.isfinite(jnp.linalg.cholesky(cov)).all()
    return guard(
        cov, positive, "expected a positive definite cov; add a small multiple of the identity."
    )
