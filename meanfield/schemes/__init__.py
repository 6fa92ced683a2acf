"""Discrete time: schemes that advance a state by one step, for `rollout`."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._base import AbstractScheme as AbstractScheme
    from ._entropic_bias import (
        AbstractBias as AbstractBias,
        Biased as Biased,
        Debiased as Debiased,
        Richardson as Richardson,
    )
    from ._entropic_jko import EntropicJKO as EntropicJKO
    from ._particle_jko import ParticleJKO as ParticleJKO
    from ._quantile_jko import QuantileJKO as QuantileJKO
    from ._random_layers import RandomLayers as RandomLayers
    from ._scharfetter_gummel import ScharfetterGummel as ScharfetterGummel
    from ._second_order_jko import SecondOrderJKO as SecondOrderJKO
    from ._transformer_layers import TransformerLayers as TransformerLayers

__getattr__, __dir__ = offers(__name__)
