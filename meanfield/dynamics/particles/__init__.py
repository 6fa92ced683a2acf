"""Clouds of tokens under attention, under an energy or under any other force."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._arc_length import ArcLength as ArcLength
    from ._attention_flow import AttentionFlow as AttentionFlow
    from ._forces import Control as Control, Drift as Drift
    from ._gradient_flow import GradientFlow as GradientFlow
    from ._hardmax_path import HardmaxPath as HardmaxPath, hardmax_path as hardmax_path
    from ._momentum_flow import MomentumFlow as MomentumFlow
    from ._normalizations import (
        NGPT as NGPT,
        AbstractNormalization as AbstractNormalization,
        MixNorm as MixNorm,
        PeriNorm as PeriNorm,
        PostNorm as PostNorm,
        PreNorm as PreNorm,
        SqrtNorm as SqrtNorm,
    )
    from ._random_values import RandomValues as RandomValues
    from ._sinkhorn_flow import SinkhornFlow as SinkhornFlow

__getattr__, __dir__ = offers(__name__)
