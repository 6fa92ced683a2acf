from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..._checks import check_integer
from ..._typing import Scalar
from ...attention.kernels import Softmax
from ...attention.masks import ring_bias
from .._base import AbstractReduction
from ._ranges import within


class TwistedRing(AbstractReduction):
    """Tokens on a ring of positions, spread evenly over a circle of latitude: one equation for its height.

    x_j = (s cos qj, s sin qj, z),   s^2 = 1 - z^2,   q = 2 pi twists / n,   j = 0, ..., n - 1

    stays of this form under attention whose mask depends on i - j (mod n) alone:

    z' = z (1 - z^2)(1 - What(z)),   What(z) = sum_k w_k cos qk,   w_k = e^{m_k + beta (z^2 + s^2 cos qk)}/Z

    with m_k the mask between tokens k apart. The equator, z = 0, is at rest, and unstable, as every
    great circle is for d >= 3; on S^1 the twisted state may be stable (`planar_rates`). The sum over k
    and -k must balance: the mask must be symmetric. The state is the scalar z, as `AttentionFlow` on
    Sphere(3) has it. From z = .1, n = 40, twists = 2, `window(40, 3, periodic=True)`: .54364143 at t = 10
    for beta = 0, .38657048 for beta = 2.

    - `attention`: `Softmax(beta, mask=mask)` without matrices; `window` or `decay`, periodic, or None.

    Raises ValueError for another attention or a mask that is not a symmetric one of n tokens on a ring.
    Source: Wiley, Strogatz, Girvan, Chaos 16, 015103 (2006), for the Kuramoto model on a ring.
    """

    attention: Softmax = eqx.field(converter=lambda a: _check_softmax(a))
    n: int = eqx.field(static=True, converter=lambda n: check_integer(n, "n", 2))
    twists: int = eqx.field(static=True, converter=lambda q: check_integer(q, "twists", 0))

    def __check_init__(self):
        super().__check_init__()
        if self.attention.mask is not None:
            ring_bias(self.attention.mask, self.n, symmetric=True)

    def requirements(self, state: Scalar) -> dict[str, Bool[Array, ""]]:
        return within(-1.0, state, "the height")

    def drift(self, t: Scalar, state: Scalar, args: Any) -> Scalar:
        up = state**2
        mean = self._weights(up) @ self._cosines(state.dtype)
        return state * (1 - up) * (1 - mean)

    def planar_rates(self) -> Float[Array, " n"]:
        """Growth rates of the modes e^{2 pi i m k/n}, m = 0, ..., n - 1, of angles on the circle z = 0.

        lambda_m = sum_k w_k (cos qk - beta sin^2 qk)(cos(2 pi m k/n) - 1)

        of which lambda_0 = 0 is the rotation of all. The state is stable if no other is positive: for
        beta = 0 and a long window where (2 radius + 1)/n < .6809228/twists, about.
        """
        w = self._weights(jnp.zeros_like(self.attention.beta))
        cosines = self._cosines(w.dtype)
        pull = cosines - self.attention.beta * (1 - cosines) * (1 + cosines)
        return (w * pull) @ (self._modes(w.dtype) - 1)

    def transverse_rates(self) -> Float[Array, " n"]:
        """Growth rates of the same modes of the height z, at z = 0: sum_k w_k (cos(2 pi m k/n) - cos qk).

        The mean height grows whatever the window: the equator unwinds over a pole, for d >= 3.
        """
        w = self._weights(jnp.zeros_like(self.attention.beta))
        return w @ (self._modes(w.dtype) - self._cosines(w.dtype)[:, None])

    def _weights(self, up: Scalar) -> Float[Array, " n"]:
        """The attention of token 0 to token k, at the squared height `up`."""
        logits = self.attention.beta.astype(up.dtype) * (up + (1 - up) * self._cosines(up.dtype))
        if self.attention.mask is not None:
            logits += ring_bias(self.attention.mask, self.n).astype(up.dtype)
        weights = jnp.exp(logits - logits.max())
        return weights / weights.sum()

    def _cosines(self, dtype) -> Float[Array, " n"]:
        """cos qk. Whole turns are taken out in integers, before any rounding."""
        turns = np.arange(self.n) * self.twists % self.n
        return jnp.asarray(np.cos(2 * np.pi * turns / self.n), dtype)

    def _modes(self, dtype) -> Float[Array, "n n"]:
        """cos(2 pi m k/n): entry [k, m]."""
        turns = np.outer(np.arange(self.n), np.arange(self.n)) % self.n
        return jnp.asarray(np.cos(2 * np.pi * turns / self.n), dtype)


def _check_softmax(attention) -> Softmax:
    parts = ("query", "key", "value", "rotary", "query_bias", "key_bias")
    if not isinstance(attention, Softmax) or any(
        getattr(attention, part) is not None for part in parts
    ):
        raise ValueError(
            "expected Softmax(beta, mask=mask) without matrices or biases, for which the reduction is "
            "exact; simulate the tokens with AttentionFlow for anything else."
        )
    return attention
