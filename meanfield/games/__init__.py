"""Several players who steer measures: exact games, equilibria, mean-field games, control."""

from .exact import (
    AbstractPlay as AbstractPlay,
    Feedback as Feedback,
    LinearQuadratic as LinearQuadratic,
    OpenLoop as OpenLoop,
    Planner as Planner,
)
