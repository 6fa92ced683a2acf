from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Float

from .._checks import check_scalar, guard
from .._typing import Key, Scalar
from ..dynamics import AbstractDynamics, AbstractParticles
from ._geodesic_euler import GeodesicEuler


class Plan(eqx.Module):
    """How a run is integrated: everything that `diffrax.diffeqsolve` needs besides the dynamics."""

    solver: diffrax.AbstractSolver
    adjoint: diffrax.AbstractAdjoint
    max_steps: int = eqx.field(static=True)
    progress: bool = eqx.field(static=True)
    tol: Scalar
    dt: Scalar | None
    jumps: Float[Array, " jumps"] | None
    key: Key | None

    def controller(self) -> diffrax.AbstractStepSizeController:
        """Adaptive steps unless dt is given; adaptive ones land on the jumps of the drift."""
        if self.dt is not None:
            return diffrax.ConstantStepSize()
        adaptive = diffrax.PIDController(rtol=self.tol, atol=self.tol)
        if self.jumps is None:
            return adaptive
        return diffrax.ClipStepSizeController(adaptive, jump_ts=self.jumps)

    def terms(self, dynamics: AbstractDynamics, x0, t0: Scalar, t1: Scalar):
        """The drift, and the noise where there is any."""
        drift = diffrax.ODETerm(dynamics.drift)  # pyright: ignore[reportArgumentType]
        noise = strength(dynamics)
        if noise is None or self.key is None or self.dt is None:
            return drift
        amplitude = jnp.sqrt(2 * noise).astype(x0.dtype)
        shape = jax.ShapeDtypeStruct(x0.shape, x0.dtype)
        if isinstance(self.adjoint, diffrax.RecursiveCheckpointAdjoint):
            path = diffrax.VirtualBrownianTree(t0, t1, self.dt / 4, shape, self.key)
        else:
            path = diffrax.UnsafeBrownianPath(shape, self.key)
        spread = lx.DiagonalLinearOperator(jnp.full_like(x0, amplitude))
        return diffrax.MultiTerm(drift, diffrax.ControlTerm(lambda t, x, args: spread, path))

    def solve(self, dynamics, x0, t0, t1, saveat, args, dt0=None, event=None):
        """Run diffrax; failures are values."""
        return diffrax.diffeqsolve(
            self.terms(dynamics, x0, t0, t1),
            self.solver,
            t0,
            t1,
            self.dt if dt0 is None else dt0,
            x0,
            args,
            saveat=saveat,
            stepsize_controller=self.controller(),
            adjoint=self.adjoint,
            event=event,
            max_steps=self.max_steps,
            throw=False,
            progress_meter=diffrax.TextProgressMeter()
            if self.progress
            else diffrax.NoProgressMeter(),
        )

    def stats(self, counts: dict) -> dict:
        """The counts of a run: steps tried, accepted, rejected, and right-hand sides where known."""
        stats = {
            "steps": counts["num_steps"],
            "accepted": counts["num_accepted_steps"],
            "rejected": counts["num_rejected_steps"],
        }
        per_step = stages(self.solver)
        if per_step is not None:
            # An adaptive run starts with two more to guess its first step, and FSAL with one.
            stats["rhs"] = per_step * counts["num_steps"] + (0 if self.dt is not None else 2) + 1
        return stats


def stages(solver: diffrax.AbstractSolver) -> int | None:
    """Right-hand sides in a step of an explicit method; None where they depend on the state."""
    tableau = getattr(solver, "tableau", None)
    if isinstance(solver, diffrax.AbstractERK) and isinstance(tableau, diffrax.ButcherTableau):
        return tableau.num_stages - bool(tableau.fsal)
    return 1 if isinstance(solver, diffrax.Euler | GeodesicEuler) else None


def strength(dynamics: AbstractDynamics) -> Scalar | None:
    """The strength of the noise that tokens feel; None for an ordinary differential equation."""
    return dynamics.noise if isinstance(dynamics, AbstractParticles) else None


def plan_run(dynamics, solver, tol, dt, key, adjoint, max_steps, ts, progress) -> Plan:
    """A plan, with defaults filled in and contradictions refused."""
    noisy = strength(dynamics) is not None
    if noisy and (key is None or dt is None):
        raise ValueError(
            "expected key and dt for a dynamics with noise, got neither or one; "
            "pass key=jax.random.key(0), dt=0.01."
        )
    tol = check_scalar(tol, "tol").astype(ts.dtype)
    guard(tol, tol > 0, "expected tol > 0, got a number that is not; pass tol=1e-6.")
    if dt is not None:
        dt = check_scalar(dt, "dt").astype(ts.dtype)
        guard(
            dt,
            dt > 0,
            "expected dt > 0, got a number that is not; leave dt out for adaptive steps.",
        )
    if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
        raise ValueError(
            f"expected max_steps >= 1, got {max_steps!r}; leave it out for the default."
        )
    jumps = dynamics.jumps()
    return Plan(
        solver=solver or (GeodesicEuler(dynamics.geometry) if noisy else diffrax.Tsit5()),
        adjoint=adjoint
        or (diffrax.ForwardMode() if noisy else diffrax.RecursiveCheckpointAdjoint()),
        max_steps=max_steps,
        progress=progress,
        tol=jnp.maximum(tol, 50 * jnp.finfo(ts.dtype).eps),
        dt=dt,
        jumps=None if jumps is None else jumps.astype(ts.dtype),
        key=key if noisy else None,
    )


def check_observe(observe) -> dict[str, Callable]:
    """A dict of named functions of the state."""
    observe = {} if observe is None else observe
    if not isinstance(observe, dict) or not all(callable(f) for f in observe.values()):
        raise ValueError(
            "expected observe to be a dict of functions of the state; "
            "pass observe={'x': lambda x: x} for the history of the tokens."
        )
    return observe
