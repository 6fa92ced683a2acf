import equinox as eqx
import jax
from jaxtyping import Array, Bool, Float

from ..._checks import check_vector
from ..._typing import Masses, Outputs, Points, Sources
from ..engines import check_tokens
from ._base import AbstractAttention


class Gained(AbstractAttention):
    """An attention behind the gains and the bias of a normalization.

        field(x) = attention(gain * x + bias)

    With x on the unit sphere and gain = sqrt(d) g this is what layer normalization with gains g, or RMS
    normalization, hands to the attention of a real transformer.

    - `gain`, `bias`: one number a coordinate [d]; without bias, 0.

    Raises ValueError for vectors of different lengths, or of another length than the tokens.
    """

    attention: AbstractAttention
    gain: Float[Array, " d"] = eqx.field(converter=lambda g: check_vector(g, "gain"))
    bias: Float[Array, " d"] | None = eqx.field(
        default=None, converter=lambda b: None if b is None else check_vector(b, "bias")
    )

    def __check_init__(self):
        if self.bias is not None and self.bias.shape != self.gain.shape:
            raise ValueError(
                f"expected gain and bias of one length, got {len(self.gain)} and {len(self.bias)}; "
                "pass one number a coordinate."
            )

    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        return self.attention(*self._scaled(x, y), w)

    def solved(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> Bool[Array, ""] | None:
        return self.attention.solved(*self._scaled(x, y), w)

    def _scaled(self, x: Points, y: Sources | None) -> tuple[Points, Float[Array, "m d"] | None]:
        return jax.tree.map(self.scale, (x, y))

    def scale(self, x: Points) -> Points:
        """gain * x + bias."""
        x = check_tokens(x, "x")
        if x.shape[1] != len(self.gain):
            raise ValueError(
                f"expected tokens in R^{len(self.gain)}, got R^{x.shape[1]}; pass one gain a coordinate."
            )
        scaled = x * self.gain.astype(x.dtype)
        return scaled if self.bias is None else scaled + self.bias.astype(x.dtype)
