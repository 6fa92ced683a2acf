"""Named experiments that yield arrays and claims; one file a study (see `_base.py`)."""

from ._base import Study as Study, available as available
from ._claim import Claim as Claim
from ._clustering import Clustering as Clustering
from ._clustering_rates import ClusteringRates as ClusteringRates
from ._covariances import Covariances as Covariances
from ._density_clusters import DensityClusters as DensityClusters
from ._density_film import DensityFilm as DensityFilm
from ._depth import Depth as Depth
from ._first_clusters import FirstClusters as FirstClusters
from ._fluctuations import Fluctuations as Fluctuations
from ._gaussian_closures import GaussianClosures as GaussianClosures
from ._growth_rates import GrowthRates as GrowthRates
from ._heat import Heat as Heat
from ._heat_limit import HeatLimit as HeatLimit
from ._heat_limit_coupling import HeatLimitCoupling as HeatLimitCoupling
from ._heat_limit_particles import HeatLimitParticles as HeatLimitParticles
from ._heat_limit_steps import HeatLimitSteps as HeatLimitSteps
from ._mean_field_limit import MeanFieldLimit as MeanFieldLimit
from ._metastability import Metastability as Metastability
from ._normalization import Normalization as Normalization
from ._particles_vs_pde import ParticlesVsPde as ParticlesVsPde
from ._pde_orders import PdeOrders as PdeOrders
from ._phase_diagram import PhaseDiagram as PhaseDiagram
from ._phase_transition import PhaseTransition as PhaseTransition
from ._published_clusters import PublishedClusters as PublishedClusters
from ._random_matrices import RandomMatrices as RandomMatrices
from ._random_transformer import RandomTransformer as RandomTransformer
from ._repeat import repeat as repeat
from ._slow_merging import SlowMerging as SlowMerging
from ._staircase import Staircase as Staircase
from ._trajectories import Trajectories as Trajectories
