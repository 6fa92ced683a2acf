"""Optimal transport between clouds and between densities; all Sinkhorn iterations are ott's."""

from ._barycenter import Barycenter as Barycenter, barycenter as barycenter
from ._bures import bures as bures, gaussian_wasserstein as gaussian_wasserstein
from ._circle import wasserstein_circle as wasserstein_circle
from ._consensus import (
    barycenter_displacement as barycenter_displacement,
    consensus_displacement as consensus_displacement,
    disagreement as disagreement,
)
from ._costs import SquaredEuclidean as SquaredEuclidean, SquaredGeodesic as SquaredGeodesic
from ._coupling import Coupling as Coupling
from ._displacement import (
    displacement as displacement,
    plan_displacement as plan_displacement,
)
from ._divergence import Divergence as Divergence, sinkhorn_divergence as sinkhorn_divergence
from ._domains import (
    AbstractDomain as AbstractDomain,
    Box as Box,
    GeodesicGrid as GeodesicGrid,
    HeatGrid as HeatGrid,
)
from ._dot_product import DotProduct as DotProduct
from ._entropic import Entropic as Entropic
from ._exact import Exact as Exact
from ._fixed_support import (
    FixedSupportBarycenter as FixedSupportBarycenter,
    fixed_support_barycenter as fixed_support_barycenter,
)
from ._gaussian_barycenter import (
    GaussianBarycenter as GaussianBarycenter,
    gaussian_barycenter as gaussian_barycenter,
)
from ._geometry import point_geometry as point_geometry
from ._line import wasserstein_line as wasserstein_line
from ._matrix_root import symmetric_root as symmetric_root
from ._proximal import (
    Accuracy as Accuracy,
    Effort as Effort,
    filled as filled,
    proximal_step as proximal_step,
    self_potential as self_potential,
)
from ._quantile_barycenter import (
    QuantileBarycenter as QuantileBarycenter,
    quantile_barycenter as quantile_barycenter,
)
from ._sinkhorn import solve as solve
from ._solution import Solution as Solution
from ._spaces import cost_of as cost_of
from ._transport import AbstractMethod as AbstractMethod, Transport as Transport
from ._wasserstein import wasserstein as wasserstein
