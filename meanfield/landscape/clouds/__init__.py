"""Critical points of the energy of finitely many tokens: Hessians, saddles, searches for all."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._cloud_string import CloudString as CloudString, cloud_string as cloud_string
    from ._consensus_rates import (
        ConsensusRates as ConsensusRates,
        consensus_rates as consensus_rates,
    )
    from ._critical_points import (
        CriticalPoints as CriticalPoints,
        critical_points as critical_points,
    )
    from ._hessian import (
        chart as chart,
        curvature as curvature,
        escape_rates as escape_rates,
        frames as frames,
        hessian as hessian,
        hessian_index as hessian_index,
        moved as moved,
    )
    from ._heteroclinic import (
        HeteroclinicGraph as HeteroclinicGraph,
        heteroclinic_graph as heteroclinic_graph,
    )
    from ._morse import MorseCount as MorseCount, morse_count as morse_count
    from ._saddle import saddle as saddle
    from ._search import CriticalPoint as CriticalPoint
    from ._symmetries import orbit as orbit, symmetries as symmetries
    from ._walk import Walk as Walk, walk as walk

__getattr__, __dir__ = offers(__name__)
