"""Optimal transport between clouds and between densities; all Sinkhorn iterations are ott's."""

from ._costs import SquaredEuclidean as SquaredEuclidean, SquaredGeodesic as SquaredGeodesic
from ._domains import (
    AbstractDomain as AbstractDomain,
    Box as Box,
    GeodesicGrid as GeodesicGrid,
    HeatGrid as HeatGrid,
)
from ._dot_product import DotProduct as DotProduct
from ._geometry import point_geometry as point_geometry
from ._matrix_root import symmetric_root as symmetric_root
from ._proximal import (
    Accuracy as Accuracy,
    Effort as Effort,
    filled as filled,
    proximal_step as proximal_step,
    self_potential as self_potential,
)
from ._sinkhorn import Solution as Solution, solve as solve
