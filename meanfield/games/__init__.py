"""Several players who steer measures: exact games, equilibria, mean-field games, control."""

from .exact import (
    AbstractPlay as AbstractPlay,
    Feedback as Feedback,
    LinearQuadratic as LinearQuadratic,
    OpenLoop as OpenLoop,
    Planner as Planner,
)
from .meanfield import (
    Kuramoto as Kuramoto,
    MeanFieldEquilibrium as MeanFieldEquilibrium,
    MeanFieldGame as MeanFieldGame,
    crowd_aversion as crowd_aversion,
)
