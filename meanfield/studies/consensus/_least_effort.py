from dataclasses import dataclass, replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Scalar
from ...attention.kernels import Softmax
from ...dynamics.consensus import ConsensusFlow, ExactPull, Schedule
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...landscape import least_effort
from ...measures import Uniform
from ...transport.barycenters import disagreement
from ...transport.costs import SquaredGeodesic
from ..machinery import AbstractCellwiseStudy, Claim

EPSILON = 0.1
"""Regularization of the disagreement, in squared radians."""
SOURCE = "constant schedules are among those over which the effort is minimized"


@dataclass(frozen=True, kw_only=True)
class LeastEffort(AbstractCellwiseStudy):
    """When to pull models together: the schedule that costs least, against a pull that never changes.

        min int sum_i w_i mean |strength(t) u_i|^2 dt   over strengths that are linear between knots,

    with no more disagreement at the end than a constant strength leaves, which costs `constant_effort`
    and leaves `allowed`. Models with the same attention see different tokens of one law, as in
    `BarycenterDrift`. Constants are schedules too, so that the best one costs no more. Exact couplings
    jump, hence kinks, at which no schedule need be stationary: the one found is better than the constant,
    and, where `residual` is small, the best of those nearby.

    Over `constant`, the strength that never changes, the dataset has the `strength` at each knot, its
    `effort` and `left`, the disagreement at the end, and `residual`, how far from stationary it is.
    """

    constants: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Strengths that never change, whose disagreement at the end is allowed."""
    models: int = 3
    """Models."""
    n: int = 8
    """Tokens of a model."""
    beta: float = 4.0
    """Inverse temperature."""
    t_end: float = 4.0
    """Final time."""
    knots: int = 5
    """Times at which the schedule bends."""
    layers: int = 20
    """Layers: steps of Euler's method, each put back on the sphere."""
    iterations: int = 400
    """Steps of the optimizer."""

    GRID: ClassVar = {"constant": "constants"}
    QUANTITIES: ClassVar = {
        "effort": "least effort",
        "left": "disagreement at the end",
        "residual": "how far from stationary",
        "constant_effort": "effort of the constant strength",
        "allowed": "disagreement that the constant strength leaves",
        "constant": "constant strength",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        outcome = self._outcome()
        start = jnp.full(self.knots, cell["constant"])
        effort, allowed = outcome(start)
        found = least_effort(
            outcome, start, allowed, optimizer=optax.adam(0.05), iterations=self.iterations
        )
        return xr.Dataset(
            {
                "strength": ("time", found.control),
                "effort": ((), found.effort),
                "left": ((), found.cost),
                "residual": ((), found.residual),
                "constant_effort": ((), effort),
                "allowed": ((), allowed),
            },
            {"time": self._times()},
        )

    def tiny(self) -> "LeastEffort":
        return replace(
            self, constants=(0.5,), models=2, n=6, knots=3, layers=10, t_end=2.0, iterations=150
        )

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        claims = []
        constant = cell["constant"]
        name = f"as agreed as at strength {constant:g}"
        left, effort = one.left / one.allowed, one.effort / one.constant_effort
        claims += [
            # `least_effort` keeps the bound to 1 %.
            Claim.at_most(f"{name}: disagreement over what is allowed", left, 1, SOURCE, 0.01),
            Claim.at_most(f"{name}: effort over that of the constant", effort, 1, SOURCE),
        ]
        return claims

    def _outcome(self) -> "_Outcome":
        flow, times = AttentionFlow(Sphere(3), Softmax(self.beta)), self._times()
        keys = jax.random.split(jax.random.key(self.seed), self.models)
        x0 = jnp.stack([Uniform(3).sample(key, self.n) for key in keys])
        together = ConsensusFlow([flow] * self.models, Schedule(times), pull=ExactPull())
        return _Outcome(together, x0, jnp.linspace(0.0, self.t_end, self.layers + 1))

    def _times(self) -> Float[Array, " k"]:
        return jnp.linspace(0.0, self.t_end, self.knots)


class _Outcome(eqx.Module):
    """The effort of a schedule, and the disagreement that it leaves."""

    flow: ConsensusFlow
    x0: Float[Array, "models n 3"]
    ts: Float[Array, " T"]

    @eqx.filter_jit
    def __call__(self, strengths: Float[Array, " k"]) -> tuple[Scalar, Scalar]:
        dt = self.ts[1] - self.ts[0]

        def layer(x, t):
            moved = x + dt * self.flow.drift(t, x, strengths)
            return self.flow.project(moved), dt * self.flow.power(t, x, strengths)

        x, efforts = jax.lax.scan(layer, self.x0, self.ts[:-1])
        # Masses to 1e-6 are far more than the 1 % to which `least_effort` keeps the bound.
        return efforts.sum(), disagreement(x, epsilon=EPSILON, cost=SquaredGeodesic(), tol=1e-6)
