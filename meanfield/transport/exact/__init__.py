"""Exact transport on the line, on the circle, between Gaussians, and by solvers on the host."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._assignment import least_assignment as least_assignment
    from ._bures import (
        bures as bures,
        check_covariance as check_covariance,
        gaussian_wasserstein as gaussian_wasserstein,
    )
    from ._circle import (
        circle_coupling as circle_coupling,
        wasserstein_circle as wasserstein_circle,
    )
    from ._host_solvers import (
        assign as assign,
        least_plans as least_plans,
        solve_linear_program as solve_linear_program,
    )
    from ._line import line_coupling as line_coupling, wasserstein_line as wasserstein_line
    from ._linear_program import least_plan as least_plan
    from ._support import (
        why_no_plan as why_no_plan,
        why_no_triangular_plan as why_no_triangular_plan,
    )

__getattr__, __dir__ = offers(__name__)
