from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool

from ..._checks import check_scalar, check_weights, guard
from ..._typing import Scalar, Weights
from ...attention.kernels import AbstractExponential, Unnormalized
from .._base import AbstractReduction
from ._equiangular import check_plain
from ._quadrature import integrate
from ._ranges import within


class TwoCluster(AbstractReduction):
    """Two heavy tokens on the sphere, as metastable clusters: one equation for r = <x_1, x_2>.

    SA:  r' = (1-r^2) (m_1/(m_1 + m_2 e^{beta(1-r)}) + m_2/(m_2 + m_1 e^{beta(1-r)}))
    USA: r' = (1-r^2) e^{beta r - offset}

    (masses sum to 1). Equal masses under SA give r' = 2 (1-r^2)/(1 + e^{beta(1-r)}): two clusters stay
    apart for about e^beta/(2 beta). The state is the scalar r.

    Raises ValueError if the attention has matrices or a mask, or unless there are two masses of sum 1.
    Source: Geshkovski, Koubbi, Polyanskiy, Rigollet, arXiv 2410.06833.
    """

    attention: AbstractExponential = eqx.field(converter=check_plain)
    masses: Weights = eqx.field(converter=lambda m: check_weights(m, 2, "masses"))

    def requirements(self, state: Scalar) -> dict[str, Bool[Array, ""]]:
        return within(-1.0, state, "the inner product of clusters")

    def drift(self, t: Scalar, state: Scalar, args: Any) -> Scalar:
        return (1 - state**2) * self._pull(state)

    def _pull(self, r: Scalar) -> Scalar:
        """r'/(1 - r^2): the sum of what each cluster feels of the other."""
        beta = self.attention.beta.astype(r.dtype)
        if isinstance(self.attention, Unnormalized):
            return jnp.exp(beta * r - self.attention.offset.astype(r.dtype))
        first, second = self.masses.astype(r.dtype)
        damping = jnp.exp(beta * (1 - r))
        return second / (first * damping + second) + first / (second * damping + first)

    def passage_time(self, start, end) -> Scalar:
        """The time from r = start to r = end: int dr / r', in the variable atanh r, to rounding.

        Softmax, equal masses, 0 to .99: 18.2607 (beta 5), 1128.977 (beta 10).
        """
        start, end = check_scalar(start, "start"), check_scalar(end, "end")
        dtype = self.attention.beta.dtype
        start, end = start.astype(dtype), end.astype(dtype)
        inside = (start > -1) & (start <= end) & (end < 1)
        guard(end, inside, "expected -1 < start <= end < 1; clusters only approach each other.")
        return integrate(
            lambda s: 1 / self._pull(jnp.tanh(s)), jnp.arctanh(start), jnp.arctanh(end)
        )
