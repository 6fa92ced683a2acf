"""Entropic transport: its problem, the iteration of ott, and derivatives at the solution."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._implicit import Pair as Pair
    from ._iteration import UNIT as UNIT, solution_at as solution_at, solve as solve
    from ._marginals import (
        Problem as Problem,
        check_init as check_init,
        log_mass as log_mass,
        make_problem as make_problem,
        scaled as scaled,
        without as without,
    )
    from ._newton import has_newton as has_newton, newton as newton
    from ._solution import Solution as Solution

__getattr__, __dir__ = offers(__name__)
