import functools
import warnings
from collections.abc import Callable
from typing import Any, cast

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import (
    as_array,
    check_finite,
    check_instance,
    check_scalar,
    guard,
    guard_at_run_time,
    is_concrete,
)
from .._known import all_finite, all_of, at_hand
from .._memory import drop_programs
from .._products import exact_products
from .._typing import Key, Scalar
from ..dynamics import AbstractDynamics
from ._errors import CONVERGED
from ._integration import Plan, check_observe, plan_run
from ._merge import simulate_with_merging
from ._trajectory import Trajectory
from ._watch import STABLE, End, kept, seen, solved_at, total
from .methods import stable


def simulate(
    dynamics: AbstractDynamics,
    x0,
    ts,
    *,
    observe: dict[str, Callable] | None = None,
    solver: diffrax.AbstractSolver | None = None,
    tol: Scalar | float = 1e-6,
    dt: Scalar | float | None = None,
    key: Key | None = None,
    args: Any = None,
    progress: bool = False,
    throw: bool = True,
    merge: Scalar | float | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
    max_steps: int = 2**20,
) -> Trajectory:
    """The trajectory of a dynamics from x0 at ts[0] to ts[-1].

    `simulate(AttentionFlow(Sphere(3), Softmax(9.0)), x0, jnp.linspace(0, 30, 61),
    observe={"energy": Interaction(9.0)})`

    - `ts` [T]: increasing times, the start first; observables are evaluated at each.
    - `observe`: dict of functions of the state, evaluated while integrating. Without it only the final
      state is kept; ask for a history by `{"x": lambda x: x}`. Reuse the same functions from run to
      run: a new lambda is a new compilation.
    - `solver`, `tol`, `dt`: adaptive steps of `diffrax.Tsit5` with a PID controller at relative and
      absolute tolerance `tol` (not below 50 machine epsilons of the dtype); with `dt`, fixed steps of at
      most `dt`, even ones between the times at which the drift jumps.
      `solver=diffrax.Euler(), dt=0.1` is "Euler and renormalize", x <- N(x + dt P_x f(x)). Published
      codes that leave out P_x are `rollout(TransformerLayers(d, attention, PostNorm(), dt), ...)`.
      A `FokkerPlanck` is stepped by an implicit-explicit method of order 5 instead, or with `dt` by
      `ExponentialRK4()`, of half its work a step.
    - `key`: needed, with `dt`, by a dynamics with noise, whose steps land on `ts` too. Which solver:
      `GeodesicEuler`, the default, for paths and laws at finite times (weak order 1, the least noise
      error); `GeodesicLM(geometry)` wherever the law in which a run settles is measured, or a rate such
      as an escape time, of which first-order errors make factors; `GeodesicEuler(geometry, angle)` for
      noise without drift at large steps. diffrax's `Euler`, `Heun`, `EulerHeun`, `Midpoint`, `Ralston`,
      `SPaRK`, `GeneralShARK` and `SlowRK` are right as well; others are refused.
    - `args`: handed to the drift: controls and parameters to differentiate by.
    - `merge`: tokens that come within this distance become one heavier token: `Trajectory.merges`.
      The run then is a loop on the host, which can be neither differentiated nor vmapped. Merged
      tokens are renumbered within it, so that nothing may be held per token, neither a mask, which
      is refused, nor an array in `args` or in a `Control`, which is not seen.
    - `adjoint`: how gradients pass through the run: `diffrax.RecursiveCheckpointAdjoint()` by
      default; noisy runs take `diffrax.ForwardMode()` or `DirectAdjoint()`.
    - `progress`: show a progress meter. `throw=False` returns a failed run, with its `result`: counts
      and truth values among the observables are floats then, and what was never saved is NaN.
    - `max_steps`: the most steps that may be tried. A gradient keeps sqrt(2 max_steps) states,
      1,449 by default: give fewer for a large cloud.

    May be jitted, differentiated, and vmapped over starts, keys and parameters. Raises ValueError
    for input that does not fit and `SolveError` when the numerics fail: a solver that stops early, a
    state that is NaN or beyond all scale (the root of the largest float), fixed steps that amplify what
    the flow damps, inner iterations that do not converge, a state that the dynamics does not admit.
    """
    x0, ts = check_start(dynamics, x0, ts, throw)
    x0, dt = check_step(x0, dt, ts, throw)
    plan = plan_run(dynamics, solver, tol, dt, key, adjoint, max_steps, ts, progress)
    observe = check_observe(observe)
    if merge is not None:
        return simulate_with_merging(dynamics, x0, ts, observe, plan, args, merge, throw)
    values, final, end, counts = _integrate(dynamics, x0, ts, observe, plan, args)
    end = End(diffrax.is_successful(end[0]), *end)
    stats = plan.stats(counts, ts)
    return end.returned(dynamics, ts, values, final, stats, plan, throw)


def check_start(dynamics: AbstractDynamics, x0, ts, throw: bool = True):
    """A start and times that fit, in one dtype.

    What is traced is looked at when the program runs, by a call of the host. Without `throw` there is
    none, and a start that is not finite, or times that do not increase, end as a state that is not.
    """
    drop_programs()
    remedy = "rollout(scheme, x0, steps) runs schemes"
    check_instance(dynamics, AbstractDynamics, "a dynamics", remedy)
    x0 = dynamics.check(x0)
    dtype = jnp.result_type(*jax.tree.leaves(x0))
    ts = as_array(ts, "ts")
    if ts.ndim != 1 or ts.shape[0] < 2 or jnp.iscomplexobj(ts):
        raise ValueError(
            f"expected at least two times, the start first, got {ts.dtype} of shape {list(ts.shape)}; "
            "pass ts=jax.numpy.linspace(0.0, t_end, 11)."
        )
    ts = check_finite(ts.astype(dtype), "ts")
    message = "expected a finite start x0, got NaN or infinity; remove or replace those tokens."
    finite = all_of([all_finite(leaf) for leaf in jax.tree.leaves(x0)])
    x0 = (guard_at_run_time if throw else guard)(x0, finite, message)
    unordered = "expected increasing times; sort ts and drop repeats."
    values, _ = at_hand(ts)
    return required(x0, (values[1:] > values[:-1]).all(), unordered, throw), ts


def check_step(x0, dt, ts: Float[Array, " T"], throw: bool):
    """A start, and the step as a number of the dtype of the times, or none."""
    if dt is None:
        return x0, None
    dt = check_scalar(dt, "dt").astype(ts.dtype)
    message = "expected dt > 0, got a number that is not; leave dt out for adaptive steps."
    return required(x0, dt > 0, message, throw), jnp.where(dt > 0, dt, ts[-1] - ts[0])


def required(x0, ok, message: str, throw: bool):
    """The start where that is so; else an error, or without `throw` a start of NaN."""
    if throw or is_concrete(ok):
        return guard_at_run_time(x0, ok, message)
    return jax.tree.map(lambda leaf: jnp.where(ok, leaf, jnp.nan), x0)


@eqx.filter_jit
@exact_products
def _integrate(dynamics, x0, ts, observe, plan: Plan, args):
    """Values, the last state, how the run ended, and its counts."""
    dynamics = dynamics.prepared(ts.dtype)

    keep = kept(dynamics, ts, dynamics.project(x0), args)
    each = functools.partial(seen, dynamics, observe, keep)

    def last(t, state, args):
        return dynamics.project(state), seen(dynamics, {}, keep, t, state, args)[1]

    saves = (diffrax.SubSaveAt(ts=ts, fn=each), diffrax.SubSaveAt(t1=True, fn=last))
    with warnings.catch_warnings():
        # diffrax marks what is not yet saved by infinity, which counts and truth values do not have.
        warnings.filterwarnings("ignore", "invalid value encountered in cast", RuntimeWarning)
        solution = plan.solve(dynamics, x0, ts[0], ts[-1], diffrax.SaveAt(subs=saves), args)
    (values, saved, states), (final, checks) = cast(tuple, solution.ys)
    reached = cast(tuple, solution.ts)[1][0]
    final, checks = jax.tree.map(lambda leaf: leaf[0], (final, checks))
    if keep:
        saved[CONVERGED], checks[CONVERGED] = solved_at(dynamics, ts, states, reached, final, args)
    checks = total(saved, checks, ts, reached)
    if plan.dt is not None and plan.key is None:
        taken = jnp.maximum(solution.stats["num_accepted_steps"], 1).astype(ts.dtype)
        dt = (reached - ts[0]) / taken
        checks[STABLE] = stable(dynamics, plan.solver, reached - dt / 2, dt, final, args)
    return values, final, (solution.result, reached, checks), solution.stats
