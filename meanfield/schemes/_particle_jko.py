from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, Int

from .._checks import check_vector, check_weights
from .._typing import Points, Scalar, Weights
from ..energies import AbstractEnergy, Entropy, InternalEnergy, terms
from ..geometry import AbstractGeometry, Euclidean
from ._base import AbstractScheme, check_tolerance
from ._quantile_jko import UNBOUNDED, check_step

MOST = 256
"""Iterations of the search downhill."""
COARSEST = 1e-5
"""The loosest end of that search: from farther off Newton's method may go to no minimum."""
ROUNDED = 4
"""Roundings that a component of the gradient has at the end."""
REFINEMENTS = 8
"""Newton steps after it; two are usual."""
LONGEST = 1e-3
"""The longest of them after which there is none."""


class ParticleJKO(AbstractScheme):
    """Minimizing movements of n particles: implicit Euler's method on a manifold.

    x' = a critical point near x of E(x') + sum_i w_i d(x'_i, x_i)^2/(2 tau), and not above it

    which is the argmin where this is convex, at small tau, and need not be at a large one: in a double
    well at tau = 10 a lower one may be in the other well. As tau -> 0 this is the gradient flow of E, at
    order 1. Between clouds this near the best coupling in W2 is each particle with itself, so that a
    step is one of Jordan, Kinderlehrer and Otto. Steps are searched from the old cloud downhill by
    L-BFGS, in the memory of a few clouds, then refined by Newton's method with conjugate gradients: so
    E(x') + W2^2/(2 tau) <= E(x) at any tau, converged or not.

    - `geometry`: `Sphere(d)` or `Euclidean(d)`; `tau` > 0: the step; `weights`: masses [n], or equal.
    - `tol`: the residual at which a step ends, by default rounding: relative to the largest coordinate, or
      to tau times the largest force at the start, and on a sphere to 1. A loose one saves a third of the
      time.
    - `energy`: a combination of `Potential`, `Interaction` and `Pairwise`, for instance
      `-Interaction(beta)`, which unnormalized attention descends. A cloud has no entropy: use noise in a
      dynamics, `QuantileJKO` or `EntropicJKO`.

    The state is the cloud [n, d]. `stats` has the `energy`, the distance `moved`, the `iterations`,
    the `residual` (tau times the largest force left, a length), whether it `converged`, and the
    `excess` E(x') + W2^2/(2 tau) - E(x), which is not positive beyond rounding. Steps can be
    differentiated in everything, where the problem is strictly convex. A step has `converged` if the
    residual is at most `tol`, or without one sqrt(eps), 1.5e-8 or in float32 3.5e-4, relative to the same.

    Raises ValueError for an energy with an entropy, tau <= 0, points off the manifold; `rollout`
    raises SolveError where a step did not converge.
    Source: Jordan, Kinderlehrer, Otto (1998), doi:10.1137/S0036141096303359.
    """

    geometry: AbstractGeometry
    energy: AbstractEnergy
    tau: Scalar = eqx.field(converter=check_step)
    weights: Weights | None = eqx.field(
        default=None, converter=lambda w: None if w is None else check_vector(w, "weights")
    )
    tol: float | None = eqx.field(
        static=True, default=None, converter=lambda a: check_tolerance(a, "rounding")
    )

    def __check_init__(self):
        if any(isinstance(part, Entropy | InternalEnergy) for _, part in terms(self.energy)):
            raise ValueError(
                "expected an energy of points, got an entropy, which points do not have; use noise in a "
                "dynamics, QuantileJKO or EntropicJKO."
            )
        if self.weights is not None:
            check_weights(self.weights, self.weights.shape[0], "weights")

    def step(self, state: Points, args: Any) -> tuple[Points, dict[str, Array]]:
        tau, n = self.tau.astype(state.dtype), state.shape[0]
        masses = jnp.full(n, 1 / n) if self.weights is None else self.weights
        masses = masses.astype(state.dtype)
        # In u_i = sqrt(w_i) v_i the distance is that of R^(n d), and points without mass stay.
        scale = jnp.where(masses > 0, 1 / jnp.sqrt(jnp.where(masses > 0, masses, 1)), 0)[:, None]

        unit = self._unit(state, masses, tau)

        def reach(u: Points) -> Points:
            return self.geometry.exp(state, self.geometry.to_tangent(state, scale * unit * u))

        def value(u: Points, _=None) -> Scalar:
            # u is not held tangent: its normal part is a square to be minimized, and becomes 0.
            return tau * self.energy(reach(u), masses) / unit / unit + jnp.sum(u**2) / 2

        eps = float(jnp.finfo(state.dtype).eps)
        # A component of the gradient in u; the residual of a particle has one for each axis.
        least = (self.tol or 0) / (2 * scale.max() * state.shape[1] ** 0.5)
        least = jnp.maximum(ROUNDED * eps, least)
        u, fall, iterations = _descend(value, jnp.zeros_like(state), least)
        new = reach(u)
        residual = self._residual(state, new, masses, tau)
        facts = {
            "energy": self.energy(new, masses),
            "moved": unit * jnp.linalg.norm(u),
            "excess": unit * (unit * fall) / tau,
            "iterations": iterations,
            "residual": residual,
            "converged": residual <= unit * (self.tol or eps**0.5),
        }
        return new, facts

    def _residual(self, old: Points, new: Points, masses: Weights, tau: Scalar) -> Scalar:
        """The largest |tau grad E/w - log_new(old)|: not of u, which may have gone around the sphere."""
        force = self.geometry.to_tangent(new, self.energy.wasserstein_gradient(new, masses))
        return jnp.linalg.norm(tau * force - self.geometry.log(new, old), axis=1).max()

    def _unit(self, state: Points, masses: Weights, tau: Scalar) -> Scalar:
        """The length that residuals are small against: in R^d that of coordinates and of forces."""
        size = jax.lax.stop_gradient(jnp.abs(state).max())
        if not isinstance(self.geometry, Euclidean):
            return jnp.maximum(1, size)
        force = self.energy.wasserstein_gradient(state, masses)
        size = jnp.maximum(size, jax.lax.stop_gradient(tau * jnp.abs(force).max()))
        return jnp.where(size == 0, 1, size)

    def project(self, state: Points) -> Points:
        return self.geometry.project(state)

    def remedy(self) -> str:
        return UNBOUNDED if self.tol is None else f"{UNBOUNDED}, or loosen tol"

    def check(self, state) -> Points:
        state = self.geometry.check(state, "x0")
        if self.weights is not None:
            check_weights(self.weights, state.shape[0], "weights")
        return state


def _descend(
    value: Callable[..., Scalar], start: Points, least: Scalar
) -> tuple[Points, Scalar, Int[Array, ""]]:
    """A minimizer of `value`, that is not above `start`, how far it is from that, and the iterations taken.

    Components of the gradient below `least`, rounding or more, are none.
    """
    eps = float(jnp.finfo(start.dtype).eps)
    # What optimistix remembers of earlier steps has the dtype of jax, not that of the points.
    wide = jnp.zeros(()).dtype
    # Declared as floats, and of any kind in use.
    coarse: Any = jnp.minimum(jnp.maximum(eps**0.5, least), COARSEST).astype(wide)
    fine: Any = least
    # A step of that length leaves its square.
    short: Any = jnp.minimum(least**0.5, LONGEST)
    downhill = optx.LBFGS(rtol=coarse, atol=coarse)
    near = optx.minimise(
        lambda u, _: value(u.astype(start.dtype)).astype(wide),
        downhill,
        start.astype(wide),
        max_steps=MOST,
        throw=False,
    )
    low = jax.lax.stop_gradient(near.value.astype(start.dtype))
    inner = lx.CG(rtol=eps**0.5, atol=fine, stabilise_every=None)  # which would compile all twice
    exact = optx.root_find(
        lambda u, _: jax.grad(value)(u),
        optx.Newton(rtol=short, atol=short, linear_solver=inner),
        low,
        max_steps=REFINEMENTS,
        throw=False,
        adjoint=optx.ImplicitAdjoint(linear_solver=lx.CG(rtol=eps**0.75, atol=eps)),
        tags=frozenset({lx.positive_semidefinite_tag}),
    )
    # In a loop: the energy is compiled once.
    first, lowest, last = jax.lax.map(value, jnp.stack([start, low, exact.value]))
    better = last <= lowest + 8 * eps * jnp.abs(lowest)  # false for NaN
    count = near.stats["num_steps"] + exact.stats["num_steps"]
    fall = jnp.where(better, last, lowest) - first
    return jnp.where(better, exact.value, low), fall, count
