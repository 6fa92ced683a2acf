import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from ..._checks import check_dimension, check_scalar, is_concrete
from ..._typing import Matrix, Points, Scalar
from ..engines import (
    AbstractEngine,
    ExponentialSum,
    Sums,
    check_matrix,
    check_query_and_key,
    chosen,
    exponential_sum,
)
from ..masks import AbstractMask, as_mask
from ._base import AbstractAttention, AbstractDensityAttention


class AbstractExponential(AbstractDensityAttention):
    """What softmax and unnormalized attention share: logits beta <Q x_i, K x_j>, masks, matrices and
    an engine.

    Raises ValueError for matrices or masks that do not fit, and for densities where `isotropic_value` does.
    """

    beta: Scalar = eqx.field(converter=lambda b: check_scalar(b, "beta"))
    query: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "query"))
    key: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "key"))
    value: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "value"))
    mask: AbstractMask | None = eqx.field(default=None, converter=as_mask)
    engine: AbstractEngine | None = None

    def __check_init__(self):
        check_query_and_key(self.query, self.key)

    def sums(
        self, x: Points, y: Float[Array, "m d"] | None = None, w: Float[Array, " m"] | None = None
    ) -> Sums:
        """The mass and the moment at each query, as the engine returns them."""
        problem = self.problem(x, y, w)
        return self.engine_for(len(problem.q), len(problem.k), x.dtype).sums(problem)

    def problem(
        self, x: Points, y: Float[Array, "m d"] | None = None, w: Float[Array, " m"] | None = None
    ) -> ExponentialSum:
        """What the engine is asked to sum."""
        return exponential_sum(self.beta, self.query, self.key, self.value, self.mask, x, y, w)

    def log_mass(
        self, x: Points, y: Float[Array, "m d"] | None = None, w: Float[Array, " m"] | None = None
    ) -> Float[Array, " n"]:
        """log sum_j w_j e^{l_ij}: the logarithm of the normalizer Z at each query."""
        sums = self.sums(x, y, w)
        return sums.shift + jnp.log(sums.mass)

    def engine_for(self, n: int, m: int | None = None, dtype: DTypeLike = float) -> AbstractEngine:
        """The engine that will sum n queries against m keys (m = n by default) of this precision."""
        return chosen(self.engine, n, m, dtype)

    def isotropic_value(self) -> Scalar:
        """The number s of value = s * identity; ValueError for what no zonal kernel can express."""
        matrices = (self.query, self.key, self.mask)
        if any(part is not None for part in matrices):
            raise ValueError(
                "expected an attention without query, key or mask for a density; "
                "simulate particles with AttentionFlow for anything else."
            )
        if self.value is None:
            return jnp.ones_like(self.beta)
        scale = self.value[0, 0]
        same = jnp.shape(self.value)[0] == jnp.shape(self.value)[1]
        if same and is_concrete(self.value):
            same = bool((self.value == scale * jnp.eye(self.value.shape[0])).all())
        if not same:
            raise ValueError(
                "expected value = s * identity for a density, got another matrix; "
                "simulate particles with AttentionFlow."
            )
        return scale


def check_isotropic(attention: AbstractAttention | None, d: int) -> None:
    """ValueError if a head has no mean field, a query, a key, a mask, or a value that is no multiple of
    the identity of R^d: what no density in harmonics can feel. So it is if it changes with time."""
    if not isinstance(attention, AbstractAttention | None):
        raise ValueError(
            f"expected one attention at all times for a density, got {type(attention).__name__}; "
            "simulate particles with AttentionFlow for a schedule."
        )
    d = check_dimension(d)
    heads = jax.tree.leaves(attention, is_leaf=_is_head)
    strange = [h for h in heads if _is_head(h) and not isinstance(h, AbstractDensityAttention)]
    if strange:
        raise ValueError(
            f"expected an attention with a mean field for a density, got {type(strange[0]).__name__}, "
            "which knows tokens only; simulate particles with AttentionFlow."
        )
    leaves = jax.tree.leaves(attention, is_leaf=lambda a: isinstance(a, AbstractExponential))
    for head in leaves:
        if isinstance(head, AbstractExponential):
            head.isotropic_value()
            if head.value is not None and head.value.shape[0] != d:
                raise ValueError(
                    f"expected a value matrix of shape {[d, d]} for this basis, got "
                    f"{list(head.value.shape)}; use value=s * jax.numpy.eye({d})."
                )


def _is_head(part) -> bool:
    """Whether it is an attention that holds no others."""
    return isinstance(part, AbstractAttention) and not getattr(part, "heads", ())
