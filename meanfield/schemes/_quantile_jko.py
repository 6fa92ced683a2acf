from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from .._checks import check_scalar, guard
from .._door import door
from .._products import weighted_sum
from .._typing import Scalar
from ..energies import AbstractEnergy, AbstractQuantiles, Entropy, InternalEnergy, Line, terms
from ._base import AbstractScheme
from ._quantile_newton import Row, move

UNBOUNDED = (
    "take a smaller tau, for the step may have no minimizer, or none that this precision can tell"
)


class QuantileJKO(AbstractScheme):
    """Minimizing movements in one dimension, where W2 is the distance of quantiles.

    rho' = argmin E(rho') + W2(rho', rho)^2/(2 tau)
         = argmin over increasing X of E(X) + sum_i w_i (X_i - Y_i)^2/(2 tau)

    The gradient flow of E in Wasserstein space as tau -> 0, at order 1; the energy falls at any tau. Each
    step is exact and convex for energies that are convex along geodesics, and for others at small
    tau; at a large one it ends at a minimizer downhill from the last state, not the least of all.
    `QuantileJKO(Potential(lambda x: x[0] ** 2 / 2) + Entropy(), 0.1)` is the Ornstein-Uhlenbeck
    process, and `InternalEnergy(2.0)` the porous medium.

    - `energy`: a combination of `Potential`, `Entropy`, `InternalEnergy`, `Interaction`, `Pairwise`.
      Potentials and kernels are called with points [1] on the line, unit vectors [2] on the circle.
      Entropies are relative to Lebesgue measure on the line, and to the uniform law on the circle.
    - `tau` > 0: the step.
    - `domain`: `Line()`, `GradedLine()` or `Circle()`, of `energies`; by default the line, with masses
      made for the tails of the energy: normal with an entropy, else Barenblatt's, else equal ones.

    The state is the array [N] of increasing mid-quantiles Q((i + 1/2)/N), angles on the circle (or
    quantiles at `domain.levels(N)`). The order in N is 2 (on the line in the bulk, or in W2 if
    graded), and normal laws under quadratic potentials are exact at any N: see `Line`. A step costs
    O(N), or O(N^2) with interactions. `stats` has the `energy`, the distance `moved`, Newton's
    `iterations`, the `residual` (tau times the largest force left, a length), whether it
    `converged`, and the `excess` E(rho') + W2^2/(2 tau) - E(rho), which is not positive beyond
    rounding. A step has converged if the Hessian is positive and Newton's next step would move no
    position by more than sqrt(eps) of the cloud, and no gap by more than sqrt(eps) of itself, or by
    rounding, 32 eps max |X|: with quadratic convergence that is the error of about 32 eps that
    positions have, in float32 as in float64. A density whose gaps come near that rounding does not
    converge: take fewer quantiles, or float64. Steps can be differentiated, once, in everything.

    Raises ValueError for tau <= 0 and for starts that do not increase; `rollout` raises SolveError
    where a step did not converge, as where there is no minimizer (-x^2 and a large tau).
    Source: Jordan, Kinderlehrer, Otto (1998), doi:10.1137/S0036141096303359; in quantiles: Blanchet,
    Calvez, Carrillo (2008), doi:10.1137/070683337.
    """

    energy: AbstractEnergy
    tau: Scalar
    domain: AbstractQuantiles

    @door
    def __init__(
        self,
        energy: AbstractEnergy,
        tau: Scalar | float,
        domain: AbstractQuantiles | None = None,
    ):
        self.energy = energy
        self.tau = check_step(tau)
        self.domain = domain_of(self.energy) if domain is None else domain

    def step(self, state: Row, args: Any) -> tuple[Row, dict[str, Array]]:
        tau = self.tau.astype(state.dtype)
        new, movement = move(self.energy, self.domain, state, state, tau)
        facts = balance(self.energy, self.domain, state, new, tau)
        return new, {**facts, **movement._asdict()}

    def project(self, state: Row) -> Row:
        return state

    def remedy(self) -> str:
        return UNBOUNDED

    def check(self, state) -> Row:
        return self.domain.check(state)


def check_step(tau) -> Scalar:
    """`tau` as a positive number."""
    tau = check_scalar(tau, "tau")
    return guard(tau, tau > 0, "expected tau > 0, got a step that is not; pass 0.01.")


def domain_of(energy: AbstractEnergy) -> Line:
    """The line with masses for the heaviest tails that the energy makes."""
    parts = [part for _, part in terms(energy)]
    if any(isinstance(part, Entropy) for part in parts):
        return Line()
    exponents = [part.m for part in parts if isinstance(part, InternalEnergy)]
    return Line(min(exponents, default=None))


def balance(
    energy: AbstractEnergy, domain: AbstractQuantiles, old: Row, new: Row, tau: Scalar
) -> dict[str, Array]:
    """The energy after a step, the distance moved, and the excess of the energy inequality."""
    masses = jnp.asarray(domain.masses(old.shape[0]), old.dtype)
    square = weighted_sum(masses, (new - old) ** 2)
    before, after = (energy.on_quantiles(domain, x) for x in (old, new))
    excess = after + square / (2 * tau) - before
    return {"energy": after, "moved": jnp.sqrt(square), "excess": excess}
