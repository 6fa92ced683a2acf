"""Games whose solutions are formulas."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._linear_quadratic import LinearQuadratic as LinearQuadratic
    from ._plays import (
        AbstractPlay as AbstractPlay,
        Feedback as Feedback,
        OpenLoop as OpenLoop,
        Planner as Planner,
    )
    from ._unequal import UnequalLinearQuadratic as UnequalLinearQuadratic

__getattr__, __dir__ = offers(__name__)
