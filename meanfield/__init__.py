"""Transformers as interacting particle systems: the physics written once and run several ways."""

from . import (
    attention as attention,
    dynamics as dynamics,
    energies as energies,
    geometry as geometry,
    measures as measures,
    schemes as schemes,
)
from .solve import Trajectory as Trajectory, rollout as rollout, simulate as simulate
