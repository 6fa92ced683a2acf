"""Which tokens see which, and with what bias."""

from ._masks import (
    AbstractMask as AbstractMask,
    Additive as Additive,
    Alibi as Alibi,
    Causal as Causal,
    alibi as alibi,
    as_mask as as_mask,
    causal as causal,
)
from ._rotary import Rotary as Rotary
