"""Transport of densities on grids: domains and entropic minimizing movements."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
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

__getattr__, __dir__ = offers(__name__)
