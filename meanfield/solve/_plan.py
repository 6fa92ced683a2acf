from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jaxtyping import Array, Float

from .._checks import check_scalar, guard
from .._typing import Key, Scalar
from ..dynamics import AbstractDynamics, AbstractImex, AbstractParticles
from ._advancing import Advancing
from ._geodesic_euler import GeodesicEuler
from ._implicit_explicit import implicit_explicit

IMEX = diffrax.KenCarp3 | diffrax.KenCarp4 | diffrax.KenCarp5 | diffrax.Sil3


class Plan(eqx.Module):
    """How a run is integrated: everything that `diffrax.diffeqsolve` needs besides the dynamics."""

    solver: diffrax.AbstractSolver
    adjoint: diffrax.AbstractAdjoint
    max_steps: int = eqx.field(static=True)
    progress: bool = eqx.field(static=True)
    tol: Scalar
    dt: Scalar | None
    jumps: Float[Array, " jumps"] | None
    stops: Float[Array, " stops"] | None
    key: Key | None

    def controller(self) -> diffrax.AbstractStepSizeController:
        """Adaptive steps unless dt is given; adaptive ones land on the stops, and the jumps of the drift."""
        if self.dt is not None:
            return diffrax.ConstantStepSize()
        pid = diffrax.PIDController(rtol=self.tol, atol=self.tol)
        adaptive = Advancing(pid)  # pyright: ignore[reportCallIssue]
        if self.jumps is None and self.stops is None:
            return adaptive
        return diffrax.ClipStepSizeController(adaptive, step_ts=self.stops, jump_ts=self.jumps)

    def terms(self, dynamics: AbstractDynamics, x0, t0: Scalar, t1: Scalar):
        """The drift, split where its stiff part is taken implicitly, and the noise where there is any."""
        if isinstance(dynamics, AbstractImex) and isinstance(self.solver, IMEX):
            return diffrax.MultiTerm(_term(dynamics.explicit), _term(dynamics.decay))
        drift = _term(dynamics.drift)
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

    def stats(self, counts: dict, ts: Float[Array, " T"]) -> dict:
        """The counts of a run: steps tried, accepted, rejected, and right-hand sides where known."""
        stats = {
            "steps": counts["num_steps"],
            "accepted": counts["num_accepted_steps"],
            "rejected": counts["num_rejected_steps"],
        }
        per_step = stages(self.solver)
        if per_step is not None:
            stats["rhs"] = per_step * counts["num_steps"] + self._first_stages(ts)
        return stats

    def _first_stages(self, ts: Float[Array, " T"]):
        """Right-hand sides that a method takes anew, at the start and after each jump, where
        otherwise it uses the last stage of the step before."""
        if not reuses_stage(self.solver):
            return 0
        if self.jumps is None or self.dt is not None:
            return 1
        return 1 + jnp.sum((self.jumps > ts[0]) & (self.jumps < ts[-1]))


def _term(field: Callable) -> diffrax.ODETerm:
    return diffrax.ODETerm(field)


def stages(solver: diffrax.AbstractSolver) -> int | None:
    """Right-hand sides in a step of an explicit method; None where they depend on the state."""
    if isinstance(solver, diffrax.Euler | GeodesicEuler):
        return 1
    tableau = _tableau(solver)
    return None if tableau is None else tableau.num_stages - bool(tableau.fsal)


def reuses_stage(solver: diffrax.AbstractSolver) -> bool:
    """Whether the last stage of a step is the first of the next."""
    tableau = _tableau(solver)
    return tableau is not None and bool(tableau.fsal)


def _tableau(solver: diffrax.AbstractSolver) -> diffrax.ButcherTableau | None:
    tableau = getattr(solver, "tableau", None)
    explicit = isinstance(solver, diffrax.AbstractERK)
    return tableau if explicit and isinstance(tableau, diffrax.ButcherTableau) else None


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
    if noisy and not _is_key(key):
        raise ValueError("expected one random key, got something else; pass key=jax.random.key(0).")
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
    if isinstance(solver, GeodesicEuler):
        check_angle(solver, strength(dynamics), dt)
    jumps = dynamics.jumps()
    return Plan(
        solver=solver or default_solver(dynamics),
        adjoint=adjoint
        or (diffrax.ForwardMode() if noisy else diffrax.RecursiveCheckpointAdjoint()),
        max_steps=max_steps,
        progress=progress,
        tol=jnp.maximum(tol, 50 * jnp.finfo(ts.dtype).eps),
        dt=dt,
        jumps=None if jumps is None else jumps.astype(ts.dtype),
        # The interpolants of implicit-explicit methods are of a lower order than their steps.
        stops=ts[1:] if isinstance(dynamics, AbstractImex) else None,
        key=key if noisy else None,
    )


def _is_key(key) -> bool:
    """Whether it is one key, of the new kind or of the old."""
    if not isinstance(key, jax.Array | np.ndarray):
        return False
    old = key.shape == (2,) and key.dtype == jnp.uint32
    return old or (key.shape == () and jnp.issubdtype(key.dtype, jax.dtypes.prng_key))


def check_angle(solver: GeodesicEuler, noise: Scalar | None, dt: Scalar | None) -> None:
    """Exact Brownian increments are tabulated for one strength of noise and one step."""
    if solver.angle is None or noise is None or dt is None:
        return
    share = noise.astype(dt.dtype) * dt / solver.angle.s
    message = "expected brownian_angle(d, noise * dt) of this noise and dt; make it anew for them."
    guard(share, jnp.abs(share - 1) < 1e-5, message)


def default_solver(dynamics: AbstractDynamics) -> diffrax.AbstractSolver:
    """Geodesic steps with noise, implicit damping for stiff equations, else Tsitouras' method."""
    if isinstance(dynamics, AbstractParticles) and dynamics.noise is not None:
        return GeodesicEuler(dynamics.geometry)
    if isinstance(dynamics, AbstractImex):
        return implicit_explicit()
    return diffrax.Tsit5()


def check_observe(observe) -> dict[str, Callable]:
    """A dict of named functions of the state."""
    observe = {} if observe is None else observe
    if not isinstance(observe, dict) or not all(callable(f) for f in observe.values()):
        raise ValueError(
            "expected observe to be a dict of functions of the state; "
            "pass observe={'x': lambda x: x} for the history of the tokens."
        )
    if "time" in observe:
        raise ValueError(
            "expected another name than time for an observable, got that of the dimension that all "
            "share; read Trajectory.ts, or call it clock."
        )
    return observe
