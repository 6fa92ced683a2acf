"""Continuous time: vector fields on clouds of tokens, and reductions of them to a few numbers."""

from ._arc_length import ArcLength as ArcLength
from ._attention_flow import AttentionFlow as AttentionFlow
from ._base import (
    AbstractCloud as AbstractCloud,
    AbstractDynamics as AbstractDynamics,
    AbstractParticles as AbstractParticles,
    AbstractReduction as AbstractReduction,
    Sum as Sum,
)
from ._consensus_flow import ConsensusFlow as ConsensusFlow
from ._equiangular import Equiangular as Equiangular
from ._fokker_planck import FokkerPlanck as FokkerPlanck
from ._forces import Control as Control, Drift as Drift
from ._gates import (
    AbstractGate as AbstractGate,
    Early as Early,
    NearSaddles as NearSaddles,
    Schedule as Schedule,
)
from ._gaussian_flow import GaussianFlow as GaussianFlow, Normal as Normal
from ._gradient_flow import GradientFlow as GradientFlow
from ._imex import AbstractImex as AbstractImex
from ._normalizations import (
    NGPT as NGPT,
    AbstractNormalization as AbstractNormalization,
    MixNorm as MixNorm,
    PeriNorm as PeriNorm,
    PostNorm as PostNorm,
    PreNorm as PreNorm,
    SqrtNorm as SqrtNorm,
)
from ._pulls import (
    AbstractPull as AbstractPull,
    BarycenterPull as BarycenterPull,
    DebiasedPull as DebiasedPull,
    ExactPull as ExactPull,
    PairwisePull as PairwisePull,
)
from ._sinkhorn_flow import SinkhornFlow as SinkhornFlow
from ._two_cluster import TwoCluster as TwoCluster
