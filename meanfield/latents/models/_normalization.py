import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._shown import AbstractShown
from ..._typing import Points


class Norm(AbstractShown):
    """A normalization with gains, as real transformers have it.

        N(x) = g (x - m) / sqrt(|x - m|^2/d + eps) + b

    where m is the mean of the coordinates of x (layer normalization), or 0 unless `centered` (RMS
    normalization). On directions u = (x - m)/|x - m| it is `sqrt(d) g u + b`, up to eps: `of_directions`.
    """

    gain: Float[Array, "*layer d"]
    bias: Float[Array, "*layer d"] | None
    eps: float = eqx.field(static=True)
    centered: bool = eqx.field(static=True)

    def __call__(self, x: Points) -> Points:
        if self.centered:
            x = x - x.mean(axis=-1, keepdims=True)
        x = x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + self.eps) * self.gain
        return x if self.bias is None else x + self.bias

    def of_directions(self) -> tuple[Float[Array, " d"], Float[Array, " d"] | None]:
        """Gain and bias of unit vectors."""
        return self.gain * self.gain.shape[-1] ** 0.5, self.bias
