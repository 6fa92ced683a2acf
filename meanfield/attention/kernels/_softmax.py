import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._products import exact_products
from ..._typing import Masses, Outputs, Points, Sources
from ...harmonics import AbstractBasis
from ..closures import (
    AffineField,
    check_moments,
    in_coordinates,
    logit_matrix,
    refuse_mask,
    refuse_places,
    smoothed,
)
from ._exponential import AbstractExponential


class Softmax(AbstractExponential):
    """Self-attention (SA): an average of values with weights that sum to one.

    field(x_i) = sum_j w_j e^{beta <Q x_i, K x_j>} V x_j / sum_j w_j e^{beta <Q x_i, K x_j>}

    `beta` is the inverse temperature; `query` [p, d], `key` [p, d] and `value` [e, d] are the
    identity when left out; `mask` is `causal(n)`, `alibi(n, slope)`, a boolean matrix (True attends)
    or an additive one, [n, m]; where all that a token may see has weight 0, its field is 0, as that of
    `Unnormalized`. `engine=None` chooses by size, and many doubles on the circle or S^2 are summed by
    harmonics where these are right to rounding: `engine_for(n, d=d)` says which. On the sphere
    beta = 1 to 9 clusters within times of 10 to 200.

    Real transformers add to queries and keys `query_bias` and `key_bias` [p], then rotate them by
    their places, `rotary=Rotary(base)`: <R_i (Q x_i + a), R_j (K y_j + b)> stands for <Q x_i, K y_j>. A
    bias of values is one vector for all, since weights sum to one: `MultiHead(heads, bias=...)`.

    Raises ValueError for matrices or masks of the wrong shape, and for a mask with an empty row.
    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, equation (SA).
    """

    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        return self.sums(x, y, w).mean()

    @exact_products
    def weights(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> Float[Array, "n m"]:
        """The whole matrix of weights, whose rows sum to one: field = weights @ values."""
        problem = self.problem(x, y, w)
        logits = jnp.where(problem.w == 0, -jnp.inf, problem.logits())
        return jax.nn.softmax(logits + jnp.log(jnp.where(problem.w == 0, 1, problem.w)), axis=1)

    def field_of(
        self, basis: AbstractBasis, mass: Float[Array, " k"], pull: Float[Array, " k"]
    ) -> Float[Array, "q ..."]:
        scale = self.isotropic_value().astype(pull.dtype)
        return scale * jax.vmap(jnp.divide)(basis.node_gradient(pull), basis.synthesize(mass))

    def attraction(
        self, basis: AbstractBasis, coeffs: Float[Array, " k"], x: Float[Array, "m ..."]
    ) -> Float[Array, " m"]:
        beta = self.beta.astype(coeffs.dtype)
        mass, pull = (basis.evaluate(part, x) for part in smoothed(self.beta, basis, coeffs))
        # (1/beta) log Z; at beta = 0, where Z = 1, its limit.
        potential = jnp.where(beta == 0, pull, jnp.log(mass) / jnp.where(beta == 0, 1, beta))
        return self.isotropic_value().astype(coeffs.dtype) * potential

    def gaussian_field(self, mean: Float[Array, " d"], cov: Float[Array, "d d"]) -> AffineField:
        """The field of the cloud N(m, S): what x sees of it is N(m + S A x, S), with A = beta K^T Q.

        field(x) = V (m + S A x). Source: Castin et al., arXiv 2501.18322.
        """
        refuse_mask(self.mask)
        refuse_places(self._places())
        mean, cov = check_moments(mean, cov)
        value = in_coordinates(self.value, mean, "value")
        gain = value @ cov @ logit_matrix(self.beta, self.query, self.key, mean)
        return AffineField(value @ mean + gain @ mean, gain)
