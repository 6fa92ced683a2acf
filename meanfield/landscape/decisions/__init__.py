"""Which way a cloud goes: basins, the pushes that change them, when it is decided, how long saddles hold."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._at_saddles import AtSaddles as AtSaddles
    from ._basins import Basins as Basins, basins as basins
    from ._decision_times import DecisionTimes as DecisionTimes, decision_times as decision_times
    from ._dwell_time import DwellTime as DwellTime, dwell_time as dwell_time
    from ._pushes import Pushes as Pushes, pushes as pushes

__getattr__, __dir__ = offers(__name__)
