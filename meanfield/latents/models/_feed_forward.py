from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import Array, Float

from ..._shown import AbstractShown

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "silu": jax.nn.silu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_new": lambda x: jax.nn.gelu(x, approximate=True),
    "gelu_pytorch_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "relu": jax.nn.relu,
}
"""By the names that files have for them."""


class FeedForward(AbstractShown):
    """The MLP of a layer, of one point: D a(U u + b) + c, or with a gate D (a(G u) * (U u))."""

    up: Float[Array, "*layer width d"]
    down: Float[Array, "*layer d width"]
    gate: Float[Array, "*layer width d"] | None
    up_bias: Float[Array, "*layer width"] | None
    down_bias: Float[Array, "*layer d"] | None
    activation: str = eqx.field(static=True)

    def __call__(self, u: Float[Array, " d"]) -> Float[Array, " d"]:
        act, inner = ACTIVATIONS[self.activation], self.up @ u
        if self.up_bias is not None:
            inner = inner + self.up_bias
        inner = act(inner) if self.gate is None else act(self.gate @ u) * inner
        out = self.down @ inner
        return out if self.down_bias is None else out + self.down_bias


class DirectionsFed(AbstractShown):
    """An MLP behind the gains of its normalization, of one unit vector: gain * u + bias.

    With `centered` the mean coordinate is taken off, which no layer normalization sees.
    """

    mlp: FeedForward
    gain: Float[Array, " d"]
    bias: Float[Array, " d"] | None
    centered: bool = eqx.field(static=True)

    def __call__(self, u: Float[Array, " d"]) -> Float[Array, " d"]:
        scaled = self.gain.astype(u.dtype) * u
        out = self.mlp(scaled if self.bias is None else scaled + self.bias.astype(u.dtype))
        return out - out.mean() if self.centered else out
