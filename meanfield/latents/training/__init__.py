"""Small transformers that are trained here: hidden characters of Python's help, softmax or Sinkhorn."""

from ._text import (
    Batch as Batch,
    draw as draw,
    hide as hide,
    parts_of_help as parts_of_help,
    topics as topics,
    unigram_loss as unigram_loss,
)
from ._tiny import tiny_transformer as tiny_transformer
from ._train import masked_loss as masked_loss, train as train
from ._trained import trained as trained
