"""Real transformers from their weights, as flows and schemes of this package."""

from ._heads import Heads as Heads
from ._read import read as read
from ._transformer import Transformer as Transformer
