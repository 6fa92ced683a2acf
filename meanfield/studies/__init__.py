"""Named experiments that yield arrays and claims; one file a study (see `machinery/_study.py`)."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from .clustering import (
        Clustering as Clustering,
        ClusteringRates as ClusteringRates,
        FrankWolfe as FrankWolfe,
        HardAttention as HardAttention,
        InteractionMatrices as InteractionMatrices,
        Momentum as Momentum,
        PhaseDiagram as PhaseDiagram,
        RandomMatrices as RandomMatrices,
        RandomValues as RandomValues,
        Trajectories as Trajectories,
    )
    from .consensus import (
        BarycenterDrift as BarycenterDrift,
        ConsensusThreshold as ConsensusThreshold,
        Gating as Gating,
        LeastEffort as LeastEffort,
        Minibatch as Minibatch,
        NestedEllipses as NestedEllipses,
        OnePush as OnePush,
        SphereBarycenters as SphereBarycenters,
    )
    from .depth import (
        AttentionNormalizations as AttentionNormalizations,
        Depth as Depth,
        Normalization as Normalization,
        RandomTransformer as RandomTransformer,
        SinkformerKernels as SinkformerKernels,
    )
    from .games import (
        ConsensusGames as ConsensusGames,
        EscapedClusters as EscapedClusters,
        Impatience as Impatience,
        LqGames as LqGames,
        ManyPlayers as ManyPlayers,
        MeanFieldGames as MeanFieldGames,
        MeanFieldPaths as MeanFieldPaths,
        PriceOfAnarchy as PriceOfAnarchy,
        Protocols as Protocols,
        Schedules as Schedules,
        SteeredTransformers as SteeredTransformers,
    )
    from .gaussians import Covariances as Covariances, GaussianClosures as GaussianClosures
    from .heat import (
        Heat as Heat,
        HeatKernelClouds as HeatKernelClouds,
        HeatLimit as HeatLimit,
        HeatLimitCoupling as HeatLimitCoupling,
        HeatLimitParticles as HeatLimitParticles,
        HeatLimitSteps as HeatLimitSteps,
    )
    from .latents import (
        AttentionMarginals as AttentionMarginals,
        AttentionRelaxation as AttentionRelaxation,
        CausalCharacters as CausalCharacters,
        DriftByLayer as DriftByLayer,
        EntropyByLayer as EntropyByLayer,
        ItoTerm as ItoTerm,
        LayerThinness as LayerThinness,
        LinesOfThought as LinesOfThought,
        RealLayers as RealLayers,
        Regimes as Regimes,
        SurpriseSign as SurpriseSign,
        TrainedSinkformer as TrainedSinkformer,
    )
    from .limits import (
        Aggregators as Aggregators,
        AlignmentShock as AlignmentShock,
        DensityClusters as DensityClusters,
        FirstClusters as FirstClusters,
        Fluctuations as Fluctuations,
        GrowthRates as GrowthRates,
        KernelModes as KernelModes,
        LongContext as LongContext,
        MeanFieldLimit as MeanFieldLimit,
        ModerateInteraction as ModerateInteraction,
        ParticlesVsPde as ParticlesVsPde,
        PublishedClusters as PublishedClusters,
    )
    from .machinery import Claim as Claim, Study as Study, available as available, repeat as repeat
    from .metastability import (
        Barriers as Barriers,
        CloudPaths as CloudPaths,
        CriticalPoints as CriticalPoints,
        Decision as Decision,
        DwellTimes as DwellTimes,
        EscapeTimes as EscapeTimes,
        Metastability as Metastability,
        Polygons as Polygons,
        SaddleGraph as SaddleGraph,
        SlowMerging as SlowMerging,
        Staircase as Staircase,
        SyncMap as SyncMap,
    )
    from .movements import JkoFlows as JkoFlows, JkoOrders as JkoOrders
    from .positions import (
        AdaptedDistances as AdaptedDistances,
        Causeformer as Causeformer,
        Influence as Influence,
        TwistedRings as TwistedRings,
        WindowLimit as WindowLimit,
    )
    from .transitions import (
        DensityFilm as DensityFilm,
        FreeEnergyRates as FreeEnergyRates,
        PhaseTransition as PhaseTransition,
    )
    from .verification import FourWays as FourWays, PdeOrders as PdeOrders

__getattr__, __dir__ = offers(__name__)
