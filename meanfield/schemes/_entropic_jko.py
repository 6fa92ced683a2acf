from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_integer, check_scalar, guard
from .._products import weighted_sum
from .._typing import Points, Scalar
from ..energies import AbstractEnergy, split_entropy
from ..transport.densities import AbstractDomain, Accuracy
from ._base import AbstractScheme, check_tolerance
from ._density_checks import check_density
from ._entropic_bias import AbstractBias, Debiased, Movement

Values = Float[Array, " q"]
TOLERANCES = {64: 1e-10, 32: 1e-5}
"""Errors of marginals that rounding allows, by bits."""


class EntropicJKO(AbstractScheme):
    """Minimizing movements of a density on any domain, each by one Sinkhorn problem.

    rho' = argmin E(rho') + W2(rho', rho)^2/(2 tau),   E = nu int rho log rho + int V rho + interactions

    with W2^2/(2 tau) replaced by entropic transport at `epsilon`: the gradient flow of E as tau -> 0, of
    order 1, that is d_t rho = nu Lap rho + div(rho grad(V + W * rho)). For instance
    `EntropicJKO(Box(-5.0, 5.0, 400), Potential(lambda x: x[0] ** 2 / 2) + Entropy(), 0.1, 0.1)`
    is the Ornstein-Uhlenbeck process.

    - `domain`: `Box(low, high, cells)` in R^1 or R^2, `HeatGrid(basis)` or `GeodesicGrid(basis)` on
      the circle, on S^2, or for zonal densities on S^{d-1}; all of `transport`.
    - `energy`: a sum of `Potential`, `Interaction`, `Pairwise` and of nu > 0 times `Entropy`.
    - `tau` > 0: the step; `epsilon` > 0: the regularization, of the unit of nu. Good: nu/5.
    - `bias`: `Debiased()` or `Richardson()`, both with errors of order epsilon^2 in place of epsilon,
      or `Biased()`. The study `JkoOrders` measures the errors of all three.
    - `rounds`: interactions are taken at the old density if 1; more repeat the step with those at the
      new one, a fixed point that is the implicit scheme.
    - `tol`: the error of the marginals at which Sinkhorn ends, by default 1e-10, in float32 1e-5, or what
      rounding allows where that is more; `max_iterations`: where it gives up. Then, or where rounding
      does not allow a `tol` that is given, the step has not `converged`, and `rollout` raises SolveError.

    The state is the density [q] at `points`, relative to a measure of masses `weights`: Lebesgue's in
    a box, the uniform law on a sphere. It stays positive, and its mass is kept. Each problem starts
    from the potential that the density carries, where that is closer than none, and is accelerated at
    the optimal weight: 40 iterations for 120 at epsilon = nu/5, 90 for 1000 at nu/50. `stats`
    has the `energy`, its `rise` (not positive for `Debiased()`, see there), the `minimum` of rho, and
    `iterations`, `error` and `converged` of Sinkhorn. Steps can be differentiated in everything.

    Raises ValueError for energies without entropy or with another internal energy, epsilon or tau <= 0,
    a grid too coarse for epsilon, and starts with negative values or another mass.
    Source: Peyre (2015), doi:10.1137/15M1010087; Carlier et al. (2017), doi:10.1137/15M1050264.
    """

    domain: AbstractDomain
    energy: AbstractEnergy
    tau: Scalar = eqx.field(converter=lambda a: check_scalar(a, "tau"))
    epsilon: Scalar = eqx.field(converter=lambda a: check_scalar(a, "epsilon"))
    bias: AbstractBias = Debiased()
    rounds: int = eqx.field(static=True, default=1, converter=lambda a: check_integer(a, "rounds"))
    tol: float | None = eqx.field(
        static=True, default=None, converter=lambda a: check_tolerance(a, "1e-10")
    )
    max_iterations: int = eqx.field(
        static=True, default=2000, converter=lambda a: check_integer(a, "max_iterations")
    )

    def __check_init__(self):
        super().__check_init__()
        nu, _ = split_entropy(self.energy)
        guard(
            nu, nu > 0, "expected an energy with nu > 0 times Entropy(); add it: + 0.1 * Entropy()."
        )
        guard(self.tau, self.tau > 0, "expected tau > 0, got a step that is not; pass 0.1.")
        guard(self.epsilon, self.epsilon > 0, "expected epsilon > 0; pass nu/5, and debias.")
        self.bias.check(nu, self.epsilon)
        width = jnp.sqrt(self.tau * self.bias.finest(self.epsilon))
        least = self.domain.resolution
        guard(
            width,
            least <= width,
            f"expected sqrt(tau epsilon) >= {least:.2g}, which is what the domain resolves, got less; "
            "take more cells or a higher degree, or a larger epsilon.",
        )

    @property
    def points(self) -> Points:
        """The points [q, d] of the density."""
        return self.domain.points

    @property
    def weights(self) -> Values:
        """The masses [q] of the points under the reference measure."""
        return self.domain.weights

    def free_energy(self, state: Values) -> Scalar:
        """E at a density."""
        nu, _ = split_entropy(self.energy, state.dtype)
        local = weighted_sum(
            self.weights.astype(state.dtype), jax.scipy.special.xlogy(state, state)
        )
        return nu * local + self._rest(state)

    def step(self, state: Values, args: Any) -> tuple[Values, dict[str, Array]]:
        dtype = state.dtype
        nu, _ = split_entropy(self.energy, dtype)
        tol = TOLERANCES[jnp.finfo(dtype).bits] if self.tol is None else self.tol
        accuracy = Accuracy(tol, self.max_iterations)
        tau, epsilon = self.tau.astype(dtype), self.epsilon.astype(dtype)
        movement = Movement(self.domain, self._force, nu, tau, self.rounds, accuracy)
        new, effort = self.bias.move(state, movement, epsilon)
        energy = self.free_energy(new)
        facts = {"energy": energy, "rise": energy - self.free_energy(state), "minimum": new.min()}
        # Sinkhorn counts what rounding allows as enough; a step must keep what was asked for.
        kept = True if self.tol is None else effort.error <= tol
        return new, {**facts, **effort._asdict(), "converged": effort.converged & kept}

    def project(self, state: Values) -> Values:
        return state

    def remedy(self) -> str:
        return "raise max_iterations, take a larger epsilon or tau, or loosen tol"

    def check(self, state) -> Values:
        remedy = "evaluate it at scheme.points, or use domain.evaluate(function)"
        return check_density(state, self.weights, remedy)

    def _rest(self, density: Values) -> Scalar:
        _, rest = split_entropy(self.energy, density.dtype)
        return jnp.zeros((), density.dtype) if rest is None else self.domain.total(rest, density)

    def _force(self, density: Values) -> Values:
        """The first variation of all but the entropy: V + W * rho.

        Also where there is nothing yet: energies leave points of mass 0 out, and do not look at them.
        """
        least = float(jnp.finfo(density.dtype).tiny) ** 0.5
        some = jnp.maximum(density, least * jax.lax.stop_gradient(density.max()))
        return jax.grad(self._rest)(some) / self.weights.astype(density.dtype)
