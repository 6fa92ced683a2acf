from typing import NamedTuple

import equinox as eqx
import jax
from jaxtyping import Array, Float, Int

from ..._shown import AbstractShown
from ..._typing import Points
from ...attention.kernels import AbstractAttention, Gained
from ._feed_forward import DirectionsFed, FeedForward
from ._heads import Heads
from ._normalization import Norm


class Written(NamedTuple):
    """The states in the middle and at the end of a layer."""

    mid: Float[Array, "n d"]
    after: Float[Array, "n d"]


class Block(AbstractShown):
    """One layer of a real transformer; the layers of a model are one block of stacked arrays.

    With the normalizations before (pre-norm, decoders):  y = x + heads(N1(x)),  y + mlp(N2(y))
    With them behind (post-norm, encoders):               y = N1(x + heads(x)),  N2(y + mlp(y))
    """

    heads: Heads
    mlp: FeedForward
    first: Norm
    second: Norm
    before: bool = eqx.field(static=True)

    def __call__(self, x: Points) -> Written:
        mid = self._mid(x)
        return Written(mid, self._fed(mid))

    def row(self, x: Points, place: Int[Array, ""]) -> Float[Array, " d"]:
        """The state of one token after the layer: its feed-forward layer alone is computed."""
        return self._fed(self._mid(x)[place][None])[0]

    def _mid(self, x: Points) -> Points:
        return x + self.heads(self.first(x)) if self.before else self.first(x + self.heads(x))

    def _fed(self, mid: Points) -> Points:
        feed = jax.vmap(self.mlp)
        return mid + feed(self.second(mid)) if self.before else self.second(mid + feed(mid))

    def of_directions(self) -> tuple[AbstractAttention, DirectionsFed]:
        """Attention and MLP as they act on directions of the states, with the gains of the norms.

        A layer normalization sees no mean coordinate, and these add none.
        """
        centered = self.first.centered
        heads = self.heads.centered() if centered else self.heads
        return (
            Gained(heads, *self.first.of_directions()),
            DirectionsFed(self.mlp, *self.second.of_directions(), centered),
        )
