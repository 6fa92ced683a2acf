from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from ..._checks import check_integer, check_scalar, guard
from ..._typing import Scalar
from ...attention.kernels import AbstractExponential, Softmax, Unnormalized
from .._base import AbstractReduction
from ._quadrature import integrate
from ._ranges import within


class Equiangular(AbstractReduction):
    """n tokens on the sphere whose inner products are all equal: one equation for that number g.

    SA:  g' = 2 (1-g) ((n-1) g + 1) / (e^{beta (1-g)} + n - 1)
    USA: g' = (2/n) e^{beta g - offset} (1-g) ((n-1) g + 1)

    Exact for n orthonormal tokens (g(0) = 0, d >= n); random tokens in high dimension come within
    about d^{-1/2}. The state is the scalar g.

    Raises ValueError if n < 2 or the attention has matrices or a mask.
    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, Theorem 6.8.
    """

    attention: AbstractExponential = eqx.field(converter=lambda a: check_plain(a))
    n: int = eqx.field(static=True, converter=lambda n: check_integer(n, "n", 2))

    def requirements(self, state: Scalar) -> dict[str, Bool[Array, ""]]:
        return within(-1 / (self.n - 1), state, "the inner product of tokens")

    def drift(self, t: Scalar, state: Scalar, args: Any) -> Scalar:
        gap = 1 - state
        return 2 * gap * ((self.n - 1) * state + 1) / (self.n * self._delay(gap))

    def _delay(self, gap: Scalar) -> Scalar:
        """2 (1-g) ((n-1) g + 1)/n over g', as a function of 1 - g: 1 at beta = 0."""
        beta = self.attention.beta.astype(gap.dtype)
        if isinstance(self.attention, Unnormalized):
            return jnp.exp(self.attention.offset.astype(gap.dtype) - beta * (1 - gap))
        return (jnp.exp(beta * gap) + self.n - 1) / self.n

    def hitting_time(self, delta, start=0.0) -> Scalar:
        """The time at which g, from `start`, reaches 1 - delta: by quadrature, to rounding.

        t = int dg / g' = int (1-g) ((n-1) g + 1)/(n g') du,    u = log(((n-1) g + 1)/(1-g)),

        whose integrand is bounded: 1/2 at beta = 0, and everywhere near g = 1. Softmax, n = 32,
        delta = 1e-3: 5.270 (beta 1), 9.544 (beta 5), 178.731 (beta 9). Infinite beyond the range of floats.
        Raises ValueError unless -1/(n-1) < start < 1 - delta < 1.
        """
        delta, start = check_scalar(delta, "delta"), check_scalar(start, "start")
        dtype = self.attention.beta.dtype
        delta, start = delta.astype(dtype), start.astype(dtype)
        inside = (delta > 0) & (start < 1 - delta) & (start > -1 / (self.n - 1))
        guard(delta, inside, "expected -1/(n-1) < start < 1 - delta < 1; pass delta in (0, 1).")
        n = self.n

        def time_per_u(u):
            # 1 - g and g from u, each without cancellation where it is small.
            gap = n / (n - 1) * jax.nn.sigmoid(jnp.log(n - 1.0).astype(u.dtype) - u)
            return self._delay(gap) / 2

        first = jnp.log1p((n - 1) * start) - jnp.log1p(-start)
        last = jnp.log(n - (n - 1) * delta) - jnp.log(delta)
        return integrate(time_per_u, first, last, jnp.log(n - 1.0).astype(first.dtype))


def check_plain(attention) -> Softmax | Unnormalized:
    """Closed forms hold for softmax and unnormalized attention with identity matrices, no mask."""
    parts = ("query", "key", "value", "mask", "rotary", "query_bias", "key_bias")
    known = isinstance(attention, Softmax | Unnormalized)
    if not known or any(getattr(attention, part) is not None for part in parts):
        raise ValueError(
            "expected Softmax(beta) or Unnormalized(beta) without matrices, mask or biases, for which the "
            "reduction is exact; simulate the particles with AttentionFlow for anything else."
        )
    return attention
