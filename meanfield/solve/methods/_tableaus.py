"""What a method takes for a step."""

import diffrax

from ._exponential_rk import ExponentialRK4
from ._noise import GEODESIC


def stages(solver: diffrax.AbstractSolver) -> int | None:
    """Right-hand sides in a step; None for implicit methods, where they depend on the state."""
    if isinstance(solver, (diffrax.Euler, diffrax.EulerHeun, *GEODESIC)):
        return 1
    if isinstance(solver, ExponentialRK4):
        return 4
    tableau = tableau_of(solver)
    return None if tableau is None else tableau.num_stages - bool(tableau.fsal)


def reuses_stage(solver: diffrax.AbstractSolver) -> bool:
    """Whether the last stage of a step is the first of the next."""
    tableau = tableau_of(solver)
    return tableau is not None and bool(tableau.fsal)


def tableau_of(solver: diffrax.AbstractSolver) -> diffrax.ButcherTableau | None:
    """The coefficients of an explicit Runge-Kutta method."""
    tableau = getattr(solver, "tableau", None)
    explicit = isinstance(solver, diffrax.AbstractERK)
    return tableau if explicit and isinstance(tableau, diffrax.ButcherTableau) else None
