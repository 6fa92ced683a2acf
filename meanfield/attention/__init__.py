"""The field that a weighted cloud causes at a point, and the engines that sum it."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from .closures import (
        AffineField as AffineField,
        GaussianAttention as GaussianAttention,
        doubly_stochastic_potential as doubly_stochastic_potential,
        smoothed as smoothed,
    )
    from .engines import (
        AbstractApproximate as AbstractApproximate,
        AbstractEngine as AbstractEngine,
        Blockwise as Blockwise,
        Dense as Dense,
        ExponentialSum as ExponentialSum,
        Fused as Fused,
        Guarded as Guarded,
        Harmonic as Harmonic,
        Nystrom as Nystrom,
        RandomBatch as RandomBatch,
        RandomFeatures as RandomFeatures,
        Rounded as Rounded,
        Sharded as Sharded,
        Sums as Sums,
        exponential as exponential,
    )
    from .kernels import (
        L2 as L2,
        AbstractAttention as AbstractAttention,
        AbstractDensityAttention as AbstractDensityAttention,
        AbstractExponential as AbstractExponential,
        AbstractPairwise as AbstractPairwise,
        AbstractSchedule as AbstractSchedule,
        Gained as Gained,
        Hardmax as Hardmax,
        Layers as Layers,
        MultiHead as MultiHead,
        Prefixes as Prefixes,
        Relu as Relu,
        Sinkhorn as Sinkhorn,
        Softmax as Softmax,
        Unnormalized as Unnormalized,
        Varying as Varying,
        attention_at as attention_at,
        causal_columns as causal_columns,
        check_isotropic as check_isotropic,
    )
    from .masks import (
        AbstractMask as AbstractMask,
        Additive as Additive,
        Alibi as Alibi,
        Causal as Causal,
        Decay as Decay,
        Rotary as Rotary,
        Window as Window,
        alibi as alibi,
        causal as causal,
        decay as decay,
        window as window,
    )

__getattr__, __dir__ = offers(__name__)
