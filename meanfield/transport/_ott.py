"""What we use of ott. Importing it warns of a library of its own, which is no concern of our users."""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "JAXopt is no longer maintained", DeprecationWarning)
    from ott.geometry import (
        costs as costs,
        epsilon_scheduler as epsilon_scheduler,
        geometry as geometry,
    )
    from ott.problems.linear import linear_problem as linear_problem
    from ott.solvers.linear import acceleration as acceleration, sinkhorn as sinkhorn
