import abc
import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from ..._checks import check_dimension, check_scalar, check_vector, is_concrete
from ..._products import exact_products
from ..._typing import Masses, Matrix, Outputs, Points, Scalar, Sources
from ...harmonics import AbstractBasis
from ..closures import Smoothing, smoothed
from ..engines import (
    AbstractEngine,
    ExponentialSum,
    Sums,
    check_matrix,
    check_query_and_key,
    chosen,
    exponential_sum,
)
from ..masks import AbstractMask, Rotary, as_mask
from ._base import AbstractAttention, AbstractDensityAttention


class AbstractExponential(AbstractDensityAttention):
    """What softmax and unnormalized attention share: logits beta <Q x_i, K x_j>, masks, matrices, an
    engine, and `rotary`, `query_bias` and `key_bias` as `Softmax` has them.

    Raises ValueError for matrices or masks that do not fit, and for densities where `isotropic_value` does.
    """

    beta: Scalar = eqx.field(converter=lambda b: check_scalar(b, "beta"))
    query: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "query"))
    key: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "key"))
    value: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "value"))
    mask: AbstractMask | None = eqx.field(default=None, converter=as_mask)
    engine: AbstractEngine | None = None
    rotary: Rotary | None = eqx.field(default=None, kw_only=True)
    query_bias: Float[Array, " p"] | None = eqx.field(
        default=None, kw_only=True, converter=lambda b: _check_bias(b, "query_bias")
    )
    key_bias: Float[Array, " p"] | None = eqx.field(
        default=None, kw_only=True, converter=lambda b: _check_bias(b, "key_bias")
    )

    def __check_init__(self):
        check_query_and_key(self.query, self.key)

    @exact_products
    def sums(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Sums:
        """The mass and the moment at each query, as the engine returns them."""
        return self._summed(self.problem(x, y, w))

    def _summed(self, problem: ExponentialSum) -> Sums:
        n, m = len(problem.q), len(problem.k)
        return self.engine_for(n, m, problem.q.dtype, problem.q.shape[1]).sums(problem)

    def problem(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> ExponentialSum:
        """What the engine is asked to sum."""
        sum_ = exponential_sum(self.beta, self.query, self.key, self.value, self.mask, x, y, w)
        if not any(part is not None for part in self._places()):
            return sum_
        q, k = _shifted(sum_.q, self.query_bias), _shifted(sum_.k, self.key_bias)
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        same = sum_.mirrored and self.query_bias is None and self.key_bias is None
        return dataclasses.replace(sum_, q=q, k=k, plain=False, mirrored=same)

    @exact_products
    def log_mass(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> Float[Array, " n"]:
        """log sum_j w_j e^{l_ij}: the logarithm of the normalizer Z at each query."""
        problem = self.problem(x, y, w)
        # The values do not count: one column of zeros in place of e.
        none = jnp.zeros((1, problem.y.shape[1]), problem.y.dtype)
        sums = self._summed(dataclasses.replace(problem, value=none))
        return sums.shift + jnp.log(sums.mass)

    def engine_for(
        self, n: int, m: int | None = None, dtype: DTypeLike = float, d: int | None = None
    ) -> AbstractEngine:
        """The engine that will sum n queries against m keys (m = n by default) of this precision in R^d."""
        return chosen(self.engine, n, m, dtype, self.beta if self._is_plain() else None, d)

    def _is_plain(self) -> bool:
        """Whether logits are beta <x_i, y_j>, and nothing else."""
        parts = (self.query, self.key, self.mask, *self._places())
        return all(part is None for part in parts)

    def mean_field(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Float[Array, "q ..."]:
        return self.field_of(basis, *smoothed(self.beta, basis, coeffs))

    @abc.abstractmethod
    def field_of(
        self, basis: AbstractBasis, mass: Float[Array, " k"], pull: Float[Array, " k"]
    ) -> Float[Array, "q ..."]:
        """`mean_field` of the density whose two convolutions, as `smoothed` returns them, these are."""

    def tabulated(self, basis: AbstractBasis, dtype: DTypeLike) -> AbstractDensityAttention:
        return _Tabulated(self, Smoothing.by(self.beta, basis, dtype))

    def _places(self) -> tuple[Any, ...]:
        """What is added to queries and keys after their matrices."""
        return self.rotary, self.query_bias, self.key_bias

    def isotropic_value(self) -> Scalar:
        """The number s of value = s * identity; ValueError for what no zonal kernel can express."""
        if not self._is_plain():
            raise ValueError(
                "expected an attention without query, key, mask, bias or rotary for a density; "
                "simulate particles with AttentionFlow for anything else."
            )
        if self.value is None:
            return jnp.ones_like(self.beta)
        scale = self.value[0, 0]
        same = jnp.shape(self.value)[0] == jnp.shape(self.value)[1]
        if same and is_concrete(self.value):
            known = np.asarray(self.value)  # in a trace jax would not look at it
            same = bool((known == known[0, 0] * np.eye(len(known))).all())
        if not same:
            raise ValueError(
                "expected value = s * identity for a density, got another matrix; "
                "simulate particles with AttentionFlow."
            )
        return scale


class _Tabulated(AbstractDensityAttention):
    """An attention of densities in one basis, whose multipliers are computed once."""

    attention: AbstractExponential
    smoothing: Smoothing

    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        return self.attention(x, y, w)

    def mean_field(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Float[Array, "q ..."]:
        return self.attention.field_of(basis, *self.smoothing.of(basis, coeffs))

    def attraction(
        self, basis: AbstractBasis, coeffs: Float[Array, " k"], x: Float[Array, "m ..."]
    ) -> Float[Array, " m"]:
        return self.attention.attraction(basis, coeffs, x)


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


def _check_bias(bias, name: str) -> Float[Array, " p"] | None:
    return None if bias is None else check_vector(bias, name)


def _shifted(points: Float[Array, "n p"], bias: Float[Array, " r"] | None) -> Float[Array, "n p"]:
    """points + bias, if there is one."""
    if bias is None:
        return points
    if len(bias) != points.shape[1]:
        raise ValueError(
            f"expected biases of length {points.shape[1]} for these queries and keys, got {len(bias)}; "
            "pass one number a row of query and key."
        )
    return points + bias.astype(points.dtype)


def _is_head(part) -> bool:
    """Whether it is an attention that holds no others."""
    return isinstance(part, AbstractAttention) and not getattr(part, "heads", ())
