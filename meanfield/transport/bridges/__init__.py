"""Paths between two laws: how fast to go along a map, and the Schroedinger bridge of Gaussians."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._gaussian_bridge import (
        GaussianBridge as GaussianBridge,
        gaussian_bridge as gaussian_bridge,
    )
    from ._schedule import BestSchedule as BestSchedule, best_schedule as best_schedule

__getattr__, __dir__ = offers(__name__)
