from collections.abc import Callable

import diffrax
import equinox as eqx
import equinox.internal as eqxi
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_instance, check_integer, check_key, check_scalar, guard
from .._shown import AbstractShown
from .._typing import Key, Scalar
from ..dynamics import AbstractDynamics, AbstractParticles, AbstractSharedNoise
from ..dynamics.densities import AbstractImex
from ._known_times import known_times
from .methods import (
    GEODESIC,
    Advancing,
    EvenSteps,
    ExponentialRK4,
    GeodesicEuler,
    brownian,
    check_solver,
    checks,
    implicit_explicit,
    noisy_terms,
    reuses_stage,
    stages,
    strength,
)

NOISY = AbstractParticles | AbstractSharedNoise
IMEX = diffrax.KenCarp3 | diffrax.KenCarp4 | diffrax.KenCarp5 | diffrax.Sil3
SPLIT = IMEX | ExponentialRK4
"""Methods to which the stiff part of a drift is shown apart."""


LEAST_TOL = 50
"""The least tolerance, in units of rounding: below it errors are all rounding, and no step is accepted."""


class Plan(AbstractShown):
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
        """Adaptive steps unless dt is given; all land on the stops, and on the jumps of the drift."""
        if self.dt is not None:
            return EvenSteps(self.stops, self.jumps)
        pid = diffrax.PIDController(rtol=self.tol, atol=self.tol)
        adaptive = Advancing(pid)  # pyright: ignore[reportCallIssue]
        if self.jumps is None and self.stops is None:
            return adaptive
        return diffrax.ClipStepSizeController(adaptive, step_ts=self.stops, jump_ts=self.jumps)

    def terms(self, dynamics: AbstractDynamics, x0, t0: Scalar, t1: Scalar):
        """The drift, split where a method damps by its stiff part, and the noise where there is any."""
        if isinstance(dynamics, AbstractImex) and isinstance(self.solver, SPLIT):
            explicit = self._until(eqx.filter_jit(dynamics.explicit), t1)
            return diffrax.MultiTerm(_term(explicit), _term(dynamics.decay))
        # diffrax traces the drift several times a run: in a program of its own it is traced once.
        drift = self._until(eqx.filter_jit(dynamics.drift), t1)
        if self.key is None or self.dt is None or not isinstance(dynamics, NOISY):
            return _term(drift)
        # Stretches between stops are divided evenly, into halves of dt at the least.
        gaps = [jnp.diff(jnp.sort(part)) for part in (self.stops, self.jumps) if part is not None]
        shortest = jnp.minimum(self.dt / 2, jnp.concatenate([*gaps, self.dt[None]]).min())
        path = brownian(dynamics, self.solver, self.adjoint, x0, t0, t1, shortest, self.key)
        return noisy_terms(dynamics, drift, self.solver, x0, path)

    def _until(self, field: Callable, t1: Scalar) -> Callable:
        """A field whose jump at the end of the run, if there is one, has not yet happened."""
        if self.jumps is None:
            return field
        last = jnp.where((self.jumps == t1).any(), eqxi.prevbefore(t1), t1)
        return lambda t, state, args: field(jnp.minimum(t, last), state, args)

    def solve(self, dynamics, x0, t0, t1, saveat, args, dt0=None, event=None):
        """Run diffrax; failures are values."""
        meter = diffrax.TextProgressMeter() if self.progress else diffrax.NoProgressMeter()
        with known_times():
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
                progress_meter=meter,
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
            stats["rhs"] = per_step * counts["num_steps"] + self._first_stages(ts) + self._checks()
        return stats

    def _checks(self) -> int:
        """Right-hand sides by which the stability of fixed steps is seen, after the last of them."""
        return checks(self.solver) if self.dt is not None and self.key is None else 0

    def _first_stages(self, ts: Float[Array, " T"]):
        """Right-hand sides that a method takes anew, at the start and after each jump, where
        otherwise it uses the last stage of the step before."""
        if not reuses_stage(self.solver):
            return 0
        if self.jumps is None:
            return 1
        return 1 + jnp.sum((self.jumps > ts[0]) & (self.jumps < ts[-1]))


def _term(field: Callable) -> diffrax.ODETerm:
    return diffrax.ODETerm(field)


def plan_run(dynamics, solver, tol, dt, key, adjoint, max_steps, ts, progress) -> Plan:
    """A plan, with defaults filled in and contradictions refused."""
    noisy = strength(dynamics) is not None
    if noisy and (key is None or dt is None):
        raise ValueError(
            "expected key and dt for a dynamics with noise, got neither or one; "
            "pass key=jax.random.key(0), dt=0.01."
        )
    if noisy:
        check_key(key)
    tol = check_scalar(tol, "tol").astype(ts.dtype)
    guard(tol, tol > 0, "expected tol > 0, got a number that is not; pass tol=1e-6.")
    max_steps = check_integer(max_steps, "max_steps")
    check_method(solver, dynamics, dt)
    jumps, implicit = dynamics.jumps(), isinstance(solver, diffrax.AbstractImplicitSolver)
    return Plan(
        solver=solver or default_solver(dynamics),
        adjoint=adjoint
        or (diffrax.ForwardMode() if noisy else diffrax.RecursiveCheckpointAdjoint()),
        max_steps=max_steps,
        progress=progress,
        tol=jnp.maximum(tol, LEAST_TOL * jnp.finfo(ts.dtype).eps),
        dt=dt,
        jumps=None if jumps is None else jumps.astype(ts.dtype),
        # Between steps there is less noise than there should be, and the interpolants of
        # implicit-explicit methods are of a lower order than their steps; those of implicit ones take
        # slopes from their ends, where a stiff drift multiplies the error by its largest rate.
        stops=ts[1:] if noisy or isinstance(dynamics, AbstractImex) or implicit else None,
        key=key if noisy else None,
    )


def check_method(solver, dynamics: AbstractDynamics, dt: Scalar | None) -> None:
    """A solver of diffrax, or none; ValueError for anything else, and for one that does not fit."""
    if solver is None:
        return
    remedy = "pass diffrax.Tsit5(), or leave it out for a default"
    check_instance(solver, diffrax.AbstractSolver, "a solver of diffrax", remedy)
    noise = strength(dynamics)
    if isinstance(dynamics, NOISY) and noise is not None and dt is not None:
        check_solver(solver, dynamics, noise, dt)
    if dt is None and not isinstance(solver, diffrax.AbstractAdaptiveSolver):
        raise ValueError(
            f"expected dt for {type(solver).__name__}, which has no estimate of its error, got none; "
            "pass dt=0.01."
        )
    if noise is None and isinstance(solver, GEODESIC):
        raise ValueError(
            "expected noise for a geodesic solver, got none; leave solver out, or pass "
            "diffrax.Euler(), which returns to the sphere too."
        )
    if isinstance(solver, ExponentialRK4) and not isinstance(dynamics, AbstractImex):
        raise ValueError(
            "expected a FokkerPlanck, or another AbstractImex, for ExponentialRK4, got "
            f"{type(dynamics).__name__}; leave solver out, or pass diffrax.Tsit5()."
        )


def default_solver(dynamics: AbstractDynamics) -> diffrax.AbstractSolver:
    """Geodesic steps with noise, implicit damping for stiff equations, else Tsitouras' method."""
    if isinstance(dynamics, NOISY) and strength(dynamics) is not None:
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
