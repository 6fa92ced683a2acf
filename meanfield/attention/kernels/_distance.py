import dataclasses

import equinox as eqx
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from ..._checks import check_scalar
from ..._products import exact_products
from ..._typing import Masses, Matrix, Outputs, Points, Scalar, Sources
from ...harmonics import AbstractBasis
from ..closures import AffineField, check_moments, in_coordinates, logit_matrix, refuse_mask
from ..engines import (
    AbstractEngine,
    ExponentialSum,
    check_matrix,
    check_query_and_key,
    chosen,
    exponential_sum,
)
from ..masks import AbstractMask, as_mask
from ._base import AbstractDensityAttention
from ._softmax import Softmax


class L2(AbstractDensityAttention):
    """Self-attention by distance: an average of values, the near ones weighing most.

    field(x_i) = sum_j w_j e^{-beta |Q x_i - K x_j|^2 / 2} V x_j / sum_j w_j e^{-beta |Q x_i - K x_j|^2 / 2}

    It is softmax with the logits beta <Q x, K y> - beta |K y|^2 / 2, so that the arguments are those of
    `Softmax`, and on the sphere without matrices it is `Softmax`. Without matrices the kernel is Gaussian of
    variance 1/beta, and with V = -beta I, plus the drift beta x, the field is -grad log(G * rho), G that
    Gaussian: the blob method for d_t rho = Laplacian rho.

    Raises ValueError as `Softmax` does; the harmonic engine cannot sum it.
    Source: Kim, Papamakarios, Mnih, arXiv 2006.04710; Carrillo, Craig, Patacchini, arXiv 1709.09195.
    """

    beta: Scalar = eqx.field(converter=lambda b: check_scalar(b, "beta"))
    query: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "query"))
    key: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "key"))
    value: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "value"))
    mask: AbstractMask | None = eqx.field(default=None, converter=as_mask)
    engine: AbstractEngine | None = None

    def __check_init__(self):
        check_query_and_key(self.query, self.key)

    @exact_products
    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        problem = exponential_sum(self.beta, self.query, self.key, self.value, self.mask, x, y, w)
        problem = _by_distance(problem)
        engine = self.engine_for(len(problem.q), len(problem.k), problem.q.dtype)
        return engine.sums(problem).mean()

    def engine_for(self, n: int, m: int | None = None, dtype: DTypeLike = float) -> AbstractEngine:
        """The engine that will sum n queries against m keys (m = n by default) of this precision."""
        return chosen(self.engine, n, m, dtype)

    def mean_field(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Float[Array, "q ..."]:
        return self._on_the_sphere().mean_field(basis, coeffs)

    def tabulated(self, basis: AbstractBasis, dtype: DTypeLike) -> AbstractDensityAttention:
        return self._on_the_sphere().tabulated(basis, dtype)

    def attraction(
        self, basis: AbstractBasis, coeffs: Float[Array, " k"], x: Float[Array, "m ..."]
    ) -> Float[Array, " m"]:
        return self._on_the_sphere().attraction(basis, coeffs, x)

    def gaussian_field(self, mean: Float[Array, " d"], cov: Float[Array, "d d"]) -> AffineField:
        """The field of the cloud N(m, S), of which x sees N(R (m + S A x), R S).

        field(x) = V R (m + S A x) with R = (I + beta S K^T K)^{-1} and A = beta K^T Q.
        Source: Castin et al., arXiv 2501.18322, with weights e^{-|Qx - Ky|^2}: our beta = 2.
        """
        refuse_mask(self.mask)
        mean, cov = check_moments(mean, cov)
        key = in_coordinates(self.key, mean, "key")
        logits = logit_matrix(self.beta, self.query, self.key, mean)
        narrowing = jnp.eye(len(mean), dtype=mean.dtype) + cov @ logit_matrix(
            self.beta, key, key, mean
        )
        seen = jnp.linalg.solve(narrowing, jnp.concatenate([mean[:, None], cov @ logits], axis=1))
        seen = in_coordinates(self.value, mean, "value") @ seen
        gain = seen[:, 1:]
        return AffineField(seen[:, 0] + gain @ mean, gain)

    def _on_the_sphere(self) -> Softmax:
        """The same attention where all tokens have length one, if it has no query, key or mask."""
        return Softmax(self.beta, self.query, self.key, self.value, self.mask)


def _by_distance(problem: ExponentialSum) -> ExponentialSum:
    """The same sums with -beta |k|^2 / 2 added to the logits, by one more coordinate."""
    ones = jnp.ones_like(problem.q[:, :1])
    half = -jnp.sum(problem.k**2, axis=1, keepdims=True) / 2
    q, k = jnp.concatenate([problem.q, ones], axis=1), jnp.concatenate([problem.k, half], axis=1)
    return dataclasses.replace(problem, q=q, k=k, plain=False, mirrored=False)
