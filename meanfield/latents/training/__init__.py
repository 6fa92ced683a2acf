"""Small transformers that are trained here: hidden or next characters, softmax or Sinkhorn."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._text import (
        Batch as Batch,
        draw as draw,
        hide as hide,
        parts_of_help as parts_of_help,
        topics as topics,
        unigram_loss as unigram_loss,
    )
    from ._tiny import tiny_transformer as tiny_transformer
    from ._train import (
        last_loss as last_loss,
        masked_loss as masked_loss,
        next_loss as next_loss,
        next_losses as next_losses,
        train as train,
    )
    from ._trained import trained as trained

__getattr__, __dir__ = offers(__name__)
