"""How tokens cluster."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._clustering import Clustering as Clustering
    from ._clustering_rates import ClusteringRates as ClusteringRates
    from ._frank_wolfe import FrankWolfe as FrankWolfe
    from ._hard_attention import HardAttention as HardAttention
    from ._interaction_matrices import InteractionMatrices as InteractionMatrices
    from ._momentum import Momentum as Momentum
    from ._phase_diagram import PhaseDiagram as PhaseDiagram
    from ._random_matrices import RandomMatrices as RandomMatrices
    from ._random_values import RandomValues as RandomValues
    from ._trajectories import Trajectories as Trajectories

__getattr__, __dir__ = offers(__name__)
