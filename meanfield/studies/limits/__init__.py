"""Many tokens against their mean-field limit."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._aggregators import Aggregators as Aggregators
    from ._alignment_shock import AlignmentShock as AlignmentShock
    from ._density_clusters import DensityClusters as DensityClusters
    from ._first_clusters import FirstClusters as FirstClusters
    from ._fluctuations import Fluctuations as Fluctuations
    from ._growth_rates import GrowthRates as GrowthRates
    from ._kernel_modes import KernelModes as KernelModes
    from ._long_context import LongContext as LongContext
    from ._mean_field_limit import MeanFieldLimit as MeanFieldLimit
    from ._moderate_interaction import ModerateInteraction as ModerateInteraction
    from ._particles_vs_pde import ParticlesVsPde as ParticlesVsPde
    from ._published_clusters import PublishedClusters as PublishedClusters

__getattr__, __dir__ = offers(__name__)
