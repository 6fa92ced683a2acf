"""Continuous time: vector fields on clouds of tokens, and reductions of them to a few numbers."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._base import (
        AbstractCloud as AbstractCloud,
        AbstractDynamics as AbstractDynamics,
        AbstractParticles as AbstractParticles,
        AbstractReduction as AbstractReduction,
        AbstractSharedNoise as AbstractSharedNoise,
        Sum as Sum,
    )
    from .consensus import (
        AbstractGate as AbstractGate,
        AbstractPull as AbstractPull,
        BarycenterPull as BarycenterPull,
        ConsensusFlow as ConsensusFlow,
        DebiasedPull as DebiasedPull,
        Early as Early,
        ExactPull as ExactPull,
        NearSaddles as NearSaddles,
        PairwisePull as PairwisePull,
        Schedule as Schedule,
    )
    from .densities import AbstractImex as AbstractImex, FokkerPlanck as FokkerPlanck
    from .particles import (
        NGPT as NGPT,
        AbstractNormalization as AbstractNormalization,
        ArcLength as ArcLength,
        AttentionFlow as AttentionFlow,
        Control as Control,
        Drift as Drift,
        GradientFlow as GradientFlow,
        HardmaxPath as HardmaxPath,
        MixNorm as MixNorm,
        MomentumFlow as MomentumFlow,
        PeriNorm as PeriNorm,
        PostNorm as PostNorm,
        PreNorm as PreNorm,
        RandomValues as RandomValues,
        SinkhornFlow as SinkhornFlow,
        SqrtNorm as SqrtNorm,
        hardmax_path as hardmax_path,
    )
    from .positions import HarmonicMapFlow as HarmonicMapFlow
    from .reductions import (
        Equiangular as Equiangular,
        GaussianFlow as GaussianFlow,
        Normal as Normal,
        TwistedRing as TwistedRing,
        TwoCluster as TwoCluster,
    )

__getattr__, __dir__ = offers(__name__)
