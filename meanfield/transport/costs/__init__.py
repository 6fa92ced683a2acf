"""What it costs to move mass, and the couplings that move it."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._antipodes import with_one_geodesic as with_one_geodesic
    from ._blockwise_geometry import (
        BlockwiseGeometry as BlockwiseGeometry,
        check_dense as check_dense,
    )
    from ._cost_of import cost_of as cost_of, space_of as space_of
    from ._costs import (
        AbstractCost as AbstractCost,
        SquaredEuclidean as SquaredEuclidean,
        SquaredGeodesic as SquaredGeodesic,
    )
    from ._coupling import (
        Coupling as Coupling,
        check_values as check_values,
        joined as joined,
        masses_of as masses_of,
        massive as massive,
        power_mean as power_mean,
        root as root,
        weights_or_uniform as weights_or_uniform,
    )
    from ._dot_product import DotProduct as DotProduct
    from ._matrix_root import symmetric_root as symmetric_root
    from ._ott import (
        acceleration as acceleration,
        costs as costs,
        geometry as geometry,
        grid as grid,
        linear_problem as linear_problem,
        quadratic as quadratic,
        quadratic_problem as quadratic_problem,
        sinkhorn as sinkhorn,
    )
    from ._point_geometry import (
        FORBIDDEN as FORBIDDEN,
        Cost as Cost,
        Placed as Placed,
        as_cost as as_cost,
        mean_cost as mean_cost,
        point_geometry as point_geometry,
    )
    from ._unit import unit_of as unit_of

__getattr__, __dir__ = offers(__name__)
