"""Named experiments that yield arrays and claims; one file a study (see `_base.py`)."""

from ._base import Study as Study, available as available
from ._claim import Claim as Claim
from ._clustering_rates import ClusteringRates as ClusteringRates
from ._clustering import Clustering as Clustering
from ._depth import Depth as Depth
from ._mean_field_limit import MeanFieldLimit as MeanFieldLimit
from ._phase_diagram import PhaseDiagram as PhaseDiagram
from ._repeat import repeat as repeat
from ._trajectories import Trajectories as Trajectories
