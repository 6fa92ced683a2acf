import abc

import equinox as eqx
from jaxtyping import Array, Float

from .._typing import Points, Weights


class AbstractAttention(eqx.Module):
    """The ambient field that m weighted tokens y cause at n points x.

    `attention(x)` is self-attention; `attention(x, y, w)` is cross attention with masses w of sum 1
    (uniform by default). The result is a vector of R^d a point, not yet projected on a tangent space.
    """

    @abc.abstractmethod
    def __call__(
        self, x: Points, y: Float[Array, "m d"] | None = None, w: Weights | None = None
    ) -> Float[Array, "n e"]:
        """The field at the rows of x, [n, d]."""
