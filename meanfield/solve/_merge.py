"""Runs in which coincident tokens become one heavier token."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._checks import check_scalar, is_concrete
from .._typing import Scalar
from ..attention import kernels
from ..attention.kernels import AbstractSchedule, Prefixes
from ..attention.masks import AbstractMask, Rotary
from ..dynamics import AbstractDynamics, AbstractParticles
from ._integration import LEAST_TOL, Plan
from ._merged_cloud import Cloud, rows, with_rows
from ._trajectory import Merges, Trajectory
from ._watch import STABLE, End, seen, total
from .methods import reuses_stage, stable, stages, strength


def simulate_with_merging(
    dynamics: AbstractDynamics,
    x0,
    ts,
    observe: dict[str, Callable],
    plan: Plan,
    args: Any,
    merge: Scalar | float,
    throw: bool,
) -> Trajectory:
    """`simulate(..., merge=distance)`: a loop on the host over saves and merges.

    Between two merges the run is compiled: for all n tokens at first, then for the next power of two
    of those that are left, so that few programs are compiled while the cost falls as clusters form.
    Tokens keep their number.
    """
    particles, distance = check_merging(dynamics, x0, ts, merge)
    # At the edge of stability the solver leaves errors of size tol, which must not keep pairs apart.
    tol = jnp.minimum(plan.tol, distance / CLOSER).astype(ts.dtype)
    plan = eqx.tree_at(lambda p: p.tol, plan, tol)
    cloud = Cloud.start(particles, x0, distance, float(ts[0]))
    run = _Run(particles, plan, args, jnp.asarray(distance, ts.dtype))
    looks = [_look(dynamics, ts[0], cloud.expand(), observe, args)]
    for start, end in itertools.pairwise(ts):
        run.until(cloud, float(start), float(end))
        looks.append(_look(dynamics, end, cloud.expand(), observe, args))
    final = dynamics.project(cloud.expand())
    saved = jax.tree.map(lambda *each: jnp.stack(each), *looks)
    reached = jnp.asarray(run.reached, ts.dtype)
    last = _look(dynamics, reached, final, {}, args)[1]
    checks = total(saved[1], last, ts, reached)
    if plan.dt is not None:
        dt = (reached - ts[0]) / max(int(run.counts[1]), 1)
        checks[STABLE] = _stable(dynamics, plan, reached - dt / 2, dt, final, args)
    end = End(jnp.asarray(run.ok), run.result, reached, checks)
    merges = Merges(*cloud.tree())
    return end.returned(dynamics, ts, saved[0], final, run.stats(), plan, throw, merges)


def check_merging(dynamics, x0, ts, merge) -> tuple[AbstractParticles, float]:
    """Particles and their merging distance, or a ValueError where tokens cannot merge."""
    if not isinstance(dynamics, AbstractParticles) or strength(dynamics) is not None:
        raise ValueError("expected particles without noise to merge; leave out merge or the noise.")
    if has_mask(dynamics, ts[0]):
        raise ValueError(
            "expected tokens without order to merge, got a mask, rotary, columns or "
            "Prefixes, which know them by their number; leave out merge or the mask."
        )
    if not all(is_concrete(leaf) for leaf in jax.tree.leaves((x0, ts, merge))):
        raise ValueError(
            "expected values known now, for merge is a loop on the host; run it outside jit."
        )
    distance = float(check_scalar(merge, "merge"))
    least = CLOSER * LEAST_TOL * float(jnp.finfo(ts.dtype).eps)
    if distance < least:
        finer = ", or take float64" if ts.dtype == jnp.float32 else ""
        raise ValueError(
            f"expected merge >= {least:.1g}, below which rounding of {ts.dtype} keeps tokens apart, got "
            f"{distance:.1g}; pass merge={'1e-6' if least < 1e-6 else '1e-4'}{finer}."
        )
    return dynamics, distance


def has_mask(part, t: Scalar) -> bool:
    """Whether some attention in `part`, or that of a schedule at time t, knows places of tokens."""
    known = lambda a: _orders(a) or isinstance(a, AbstractSchedule)
    leaves = jax.tree.leaves(part, is_leaf=known)
    schedules = [leaf for leaf in leaves if isinstance(leaf, AbstractSchedule)]
    return any(map(_orders, leaves)) or any(has_mask(schedule(t), t) for schedule in schedules)


def _orders(part) -> bool:
    """Whether a part of an attention knows tokens by their number."""
    columns = isinstance(part, kernels.Sinkhorn) and part.columns is not None
    return columns or isinstance(part, AbstractMask | Rotary | Prefixes)


CLOSER = 10
"""How much smaller than the merging distance the tolerance of the solver is."""


class _Run:
    """The counters of a run and its step size, carried from segment to segment."""

    def __init__(self, dynamics: AbstractParticles, plan: Plan, args: Any, distance: Scalar):
        self.dynamics, self.plan, self.args, self.distance = dynamics, plan, args, distance
        self.result, self.ok, self.dt = diffrax.RESULTS.successful, True, plan.dt
        self.counts, self.segments, self.reached = np.zeros(3, int), 0, math.nan

    def until(self, cloud: Cloud, t: float, end: float) -> None:
        """Move the cloud from t to end, merging on the way; a run that does neither has failed."""
        while self.ok and t < end:
            state, weights, active = cloud.padded()
            flow = _Active(self.dynamics.reweight(weights), active)
            times = jnp.asarray([t, end], self.distance.dtype)
            if self.dt is None:
                self.dt = _first_step(flow, state, times[0], self.args, self.plan.tol)
            step = jnp.minimum(self.dt, times[1] - times[0])
            out = _advance(flow, state, times, step, self.distance, self.plan, self.args)
            before, size = t, cloud.size
            t = self._account(t, out)
            cloud.update(out[1], t)
            if self.ok and t <= before and cloud.size == size:
                self.ok, self.result = False, diffrax.RESULTS.dt_min_reached

    def _account(self, t: float, out) -> float:
        reached, _, result, counts = out
        self.result, self.segments = result, self.segments + 1
        self.counts = self.counts + np.array([int(count) for count in counts])
        self.ok = bool(diffrax.is_okay(result))
        if self.plan.dt is None and self.ok and int(counts[1]):
            self.dt = (reached - t) / counts[1]
        self.reached = float(reached)
        return self.reached

    def stats(self) -> dict:
        steps, accepted, rejected = (int(count) for count in self.counts)
        stats = {"steps": steps, "accepted": accepted, "rejected": rejected}
        per_step = stages(self.plan.solver)
        if per_step is not None:
            anew = self.segments * reuses_stage(self.plan.solver)
            # Adaptive steps need one more, to guess the first.
            stats["rhs"] = per_step * steps + anew + (self.plan.dt is None)
        return stats


class _Active(AbstractDynamics):
    """A flow in which only the active slots move: the others are padding of no mass."""

    flow: AbstractParticles
    active: jax.Array

    def drift(self, t, state, args):
        velocity = self.flow.drift(t, state, args)
        n = self.active.shape[0]
        still = [jnp.where(self.active[:, None], part, 0) for part in rows(velocity, n)]
        return with_rows(velocity, still, n)

    def project(self, state):
        return self.flow.project(state)

    def check(self, state):
        return self.flow.check(state)

    def closest(self, state) -> Scalar:
        """The least distance between two active slots."""
        points = jnp.concatenate(rows(self.project(state), self.active.shape[0]), axis=1)
        number = jnp.arange(points.shape[0])

        def nearest(i):
            square = jnp.sum((points - points[i]) ** 2, axis=-1)
            others = self.active & self.active[i] & (number != i)
            return jnp.where(others, square, jnp.inf).min()

        return jnp.sqrt(jax.lax.map(nearest, number, batch_size=64).min())


@eqx.filter_jit
def _advance(flow: _Active, state, times, step, distance, plan: Plan, args):
    event = diffrax.Event(lambda t, y, args, **_: flow.closest(y) <= distance)
    saveat = diffrax.SaveAt(t1=True, fn=lambda t, y, args: flow.project(y))
    out = plan.solve(flow, state, times[0], times[1], saveat, args, step, event)
    counts = ("num_steps", "num_accepted_steps", "num_rejected_steps")
    final = jax.tree.map(lambda leaf: leaf[0], out.ys)
    return jnp.asarray(out.ts)[0], final, out.result, [out.stats[name] for name in counts]


@eqx.filter_jit
def _first_step(flow: _Active, state, t, args, tol):
    """A step in which no coordinate moves by more than about tol^(1/5) of its size."""
    speed = jax.tree.map(jnp.linalg.norm, flow.drift(t, state, args))
    size = jax.tree.map(jnp.linalg.norm, state)
    fastest = sum(jax.tree.leaves(jax.tree.map(lambda v, x: v / (x + 1), speed, size)))
    return tol ** (1 / 5) / (fastest + jnp.finfo(t.dtype).tiny)


@eqx.filter_jit
def _stable(dynamics, plan: Plan, t, dt, state, args):
    return stable(dynamics, plan.solver, t, dt, state, args)


def _look(dynamics, t, state, observe: dict[str, Callable], args):
    return seen(dynamics, observe, False, t, state, args)[:2]
