"""Transport of densities on grids: domains and entropic minimizing movements."""

from ._domains import (
    AbstractDomain as AbstractDomain,
    Box as Box,
    GeodesicGrid as GeodesicGrid,
    HeatGrid as HeatGrid,
)
from ._heat_geometry import HeatGeometry as HeatGeometry
from ._proximal import (
    Accuracy as Accuracy,
    Effort as Effort,
    filled as filled,
    proximal_step as proximal_step,
    self_potential as self_potential,
)
