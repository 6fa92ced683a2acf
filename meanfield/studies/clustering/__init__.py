"""How tokens cluster."""

from ._clustering import Clustering as Clustering
from ._clustering_rates import ClusteringRates as ClusteringRates
from ._phase_diagram import PhaseDiagram as PhaseDiagram
from ._random_matrices import RandomMatrices as RandomMatrices
from ._trajectories import Trajectories as Trajectories
