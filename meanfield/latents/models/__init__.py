"""Real transformers from their weights, as flows and schemes of this package."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._block import Block as Block
    from ._feed_forward import FeedForward as FeedForward
    from ._heads import Heads as Heads
    from ._masked import write_masked as write_masked
    from ._normalization import Norm as Norm
    from ._read import read as read
    from ._texts import Characters as Characters
    from ._transformer import Transformer as Transformer

__getattr__, __dir__ = offers(__name__)
