from typing import Any

import equinox as eqx
import jax.numpy as jnp

from .._checks import check_integer, check_scalar, guard
from .._typing import Scalar
from ..attention import AbstractExponential, Softmax, Unnormalized
from ._base import AbstractReduction
from ._quadrature import integrate


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

    def drift(self, t: Scalar, state: Scalar, args: Any) -> Scalar:
        return self._speed(1 - state)

    def _speed(self, gap: Scalar) -> Scalar:
        """g' as a function of 1 - g, so that it keeps its digits near g = 1."""
        beta = self.attention.beta.astype(gap.dtype)
        factor = 2 * gap * ((self.n - 1) * (1 - gap) + 1)
        if isinstance(self.attention, Unnormalized):
            offset = self.attention.offset.astype(gap.dtype)
            return factor * jnp.exp(beta * (1 - gap) - offset) / self.n
        return factor / (jnp.exp(beta * gap) + self.n - 1)

    def hitting_time(self, delta, start=0.0) -> Scalar:
        """The time at which g, from `start`, reaches 1 - delta: by quadrature, to rounding.

        t = int_start^{1-delta} dg / g', in the variable -log(1-g). Softmax, n = 32, delta = 1e-3:
        5.270 (beta 1), 9.544 (beta 5), 178.731 (beta 9).
        """
        delta, start = check_scalar(delta, "delta"), check_scalar(start, "start")
        inside = (delta > 0) & (start < 1 - delta) & (start > -1 / (self.n - 1))
        guard(delta, inside, "expected -1/(n-1) < start < 1 - delta < 1; pass delta in (0, 1).")

        def slowness(s):
            gap = jnp.exp(-s)
            return gap / self._speed(gap)

        return integrate(slowness, -jnp.log1p(-start), -jnp.log(delta))


def check_plain(attention) -> Softmax | Unnormalized:
    """Closed forms hold for softmax and unnormalized attention with identity matrices, no mask."""
    parts = ("query", "key", "value", "mask")
    known = isinstance(attention, Softmax | Unnormalized)
    if not known or any(getattr(attention, part) is not None for part in parts):
        raise ValueError(
            "expected Softmax(beta) or Unnormalized(beta) without matrices or mask, for which the "
            "reduction is exact; simulate the particles with AttentionFlow for anything else."
        )
    return attention
