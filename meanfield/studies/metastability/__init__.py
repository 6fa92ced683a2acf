"""Where clouds linger, how long, and which barriers part them."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._barriers import Barriers as Barriers
    from ._cloud_paths import CloudPaths as CloudPaths
    from ._critical_points import CriticalPoints as CriticalPoints
    from ._decision import Decision as Decision
    from ._dwell_times import DwellTimes as DwellTimes
    from ._escape_times import EscapeTimes as EscapeTimes
    from ._metastability import Metastability as Metastability
    from ._polygons import Polygons as Polygons
    from ._saddle_graph import SaddleGraph as SaddleGraph
    from ._slow_merging import SlowMerging as SlowMerging
    from ._staircase import Staircase as Staircase
    from ._sync_map import SyncMap as SyncMap

__getattr__, __dir__ = offers(__name__)
