"""What we use of ott. What it imports besides, for pictures and for tools that we do not use, takes longer
than itself to load: it is loaded when someone asks for it."""

from ._deferred import deferred

with deferred("jaxopt", "matplotlib.pyplot", "ott.tools.conformal", "ott.tools.plot"):
    from ott.geometry import (
        costs as costs,
        epsilon_scheduler as epsilon_scheduler,
        geometry as geometry,
        grid as grid,
    )
    from ott.problems.linear import (
        barycenter_problem as barycenter_problem,
        linear_problem as linear_problem,
    )
    from ott.problems.quadratic import quadratic_problem as quadratic_problem
    from ott.solvers import quadratic as quadratic
    from ott.solvers.linear import (
        acceleration as acceleration,
        discrete_barycenter as discrete_barycenter,
        sinkhorn as sinkhorn,
    )
