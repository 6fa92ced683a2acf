"""The two verbs: `simulate` a dynamics in continuous time, `rollout` a scheme in discrete steps."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from diffrax import DirectAdjoint as DirectAdjoint, ForwardMode as ForwardMode

    from ._errors import SolveError as SolveError
    from ._rollout import rollout as rollout
    from ._simulate import simulate as simulate
    from ._sweep import sweep as sweep
    from ._trajectory import Merges as Merges, Trajectory as Trajectory
    from .methods import (
        ExponentialRK4 as ExponentialRK4,
        GeodesicEuler as GeodesicEuler,
        GeodesicLM as GeodesicLM,
    )

__getattr__, __dir__ = offers(__name__)
