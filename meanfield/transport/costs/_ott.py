"""What we use of ott. Importing it warns of a library of its own, which is no concern of our users."""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "JAXopt is no longer maintained", DeprecationWarning)
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
