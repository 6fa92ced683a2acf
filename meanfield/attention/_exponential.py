import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_scalar
from .._typing import Matrix, Points, Scalar, Weights
from ._auto import choose
from ._base import AbstractAttention
from ._engine import AbstractEngine, Sums
from ._masks import AbstractMask, as_mask
from ._problem import check_matrix, check_query_and_key, exponential_sum


class AbstractExponential(AbstractAttention):
    """What softmax and unnormalized attention share: logits, masks, matrices and an engine."""

    beta: Scalar = eqx.field(converter=lambda b: check_scalar(b, "beta"))
    query: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "query"))
    key: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "key"))
    value: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "value"))
    mask: AbstractMask | None = eqx.field(default=None, converter=as_mask)
    engine: AbstractEngine | None = None

    def __check_init__(self):
        check_query_and_key(self.query, self.key)

    def sums(
        self, x: Points, y: Float[Array, "m d"] | None = None, w: Weights | None = None
    ) -> Sums:
        """The mass and the moment at each query, as the engine returns them."""
        problem = exponential_sum(self.beta, self.query, self.key, self.value, self.mask, x, y, w)
        n, m = problem.q.shape[0], problem.k.shape[0]
        engine = self.engine or choose(n, m, x.dtype.itemsize)
        return engine.sums(problem)

    def log_mass(
        self, x: Points, y: Float[Array, "m d"] | None = None, w: Weights | None = None
    ) -> Float[Array, " n"]:
        """log sum_j w_j e^{l_ij}: the logarithm of the normalizer Z at each query."""
        sums = self.sums(x, y, w)
        return sums.shift + jnp.log(sums.mass)

    def engine_for(self, n: int, m: int | None = None) -> AbstractEngine:
        """The engine that will sum n queries against m keys (m = n by default) in this precision."""
        return self.engine or choose(n, m or n, jnp.result_type(float).itemsize)
