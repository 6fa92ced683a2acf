"""Games whose solutions are formulas."""

from ._linear_quadratic import LinearQuadratic as LinearQuadratic
from ._plays import (
    AbstractPlay as AbstractPlay,
    Feedback as Feedback,
    OpenLoop as OpenLoop,
    Planner as Planner,
)
from ._unequal import UnequalLinearQuadratic as UnequalLinearQuadratic
