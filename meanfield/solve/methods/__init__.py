"""Steps in time: what diffrax lacks, and what each of its methods needs from us."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from diffrax import Kvaerno5 as Kvaerno5

    from ._even_steps import EvenSteps as EvenSteps
    from ._exponential_rk import ExponentialRK4 as ExponentialRK4
    from ._geodesic import GeodesicEuler as GeodesicEuler, GeodesicLM as GeodesicLM
    from ._giving_up import Advancing as Advancing
    from ._implicit_explicit import implicit_explicit as implicit_explicit
    from ._looped import LOOPED as LOOPED, one_step as one_step
    from ._noise import (
        GEODESIC as GEODESIC,
        brownian as brownian,
        check_solver as check_solver,
        noisy_terms as noisy_terms,
        strength as strength,
    )
    from ._stability import checks as checks, stable as stable
    from ._tableaus import reuses_stage as reuses_stage, stages as stages
    from ._until import Stretch as Stretch, run_until as run_until

__getattr__, __dir__ = offers(__name__)
