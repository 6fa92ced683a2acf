"""Which tokens see which, and with what bias."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._masks import (
        AbstractMask as AbstractMask,
        Additive as Additive,
        Alibi as Alibi,
        Causal as Causal,
        alibi as alibi,
        as_mask as as_mask,
        causal as causal,
        check_fits as check_fits,
    )
    from ._rotary import Rotary as Rotary
    from ._windows import (
        Decay as Decay,
        Window as Window,
        decay as decay,
        ring_bias as ring_bias,
        window as window,
    )

__getattr__, __dir__ = offers(__name__)
