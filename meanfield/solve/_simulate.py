import warnings
from collections.abc import Callable
from typing import Any, cast

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from .._checks import as_array, check_finite, check_instance, guard, guard_at_run_time
from .._hooks import answering
from .._memory import drop_programs
from .._typing import Key, Scalar
from ..dynamics import AbstractDynamics
from ._errors import Failure, finite, raise_if_failed
from ._merge import simulate_with_merging
from ._plan import Plan, check_observe, plan_run
from ._trajectory import Trajectory


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
      absolute tolerance `tol` (not below 50 machine epsilons of the dtype); fixed steps if `dt` is given.
      `solver=diffrax.Euler(), dt=0.1` is "Euler and renormalize", x <- N(x + dt P_x f(x)). Published
      codes that leave out P_x are `rollout(TransformerLayers(d, attention, PostNorm(), dt), ...)`.
    - `key`: needed, with `dt`, by a dynamics with noise: then `GeodesicEuler` is the solver.
    - `args`: handed to the drift: controls and parameters to differentiate by.
    - `merge`: tokens that come within this distance become one heavier token: `Trajectory.merges`.
      The run then is a loop on the host, which can be neither differentiated nor vmapped. Merged
      tokens are renumbered within it, so that nothing may be held per token, neither a mask, which
      is refused, nor an array in `args` or in a `Control`, which is not seen.
    - `adjoint`: how gradients pass through the run: `diffrax.RecursiveCheckpointAdjoint()` by
      default; noisy runs take `diffrax.ForwardMode()` or `DirectAdjoint()`.
    - `progress`: show a progress meter. `throw=False` returns a failed run, with its `result`.
    - `max_steps`: the most steps that may be tried. A gradient keeps sqrt(2 max_steps) states,
      1,449 by default: give fewer for a large cloud.

    May be jitted, differentiated, and vmapped over starts, keys and parameters. Raises ValueError
    for input that does not fit and `SolveError` when the numerics fail.
    """
    x0, ts = check_start(dynamics, x0, ts)
    plan = plan_run(dynamics, solver, tol, dt, key, adjoint, max_steps, ts, progress)
    observe = check_observe(observe)
    if merge is not None:
        return simulate_with_merging(dynamics, x0, ts, observe, plan, args, merge, throw)
    values, final, reached, converged, solution = _integrate(dynamics, x0, ts, observe, plan, args)
    ok = diffrax.is_successful(solution.result) & finite(final)
    stats = plan.stats(solution.stats, ts)
    if converged is not None:
        ok, stats["converged"] = ok & converged, converged
    if throw:
        failure = Failure(solution.result, converged, answering(dynamics, "solved"), reached)
        values, final = raise_if_failed((values, final), ok, failure)
    return Trajectory(ts, values, final, stats, solution.result, ok, reached=reached)


def check_start(dynamics: AbstractDynamics, x0, ts):
    """A start and times that fit, in one dtype."""
    drop_programs()
    remedy = "rollout(scheme, x0, steps) runs schemes"
    check_instance(dynamics, AbstractDynamics, "a dynamics", remedy)
    x0 = dynamics.check(x0)
    dtype = jnp.result_type(*jax.tree.leaves(x0))
    ts = as_array(ts, "ts")
    if ts.ndim != 1 or ts.shape[0] < 2:
        raise ValueError(
            f"expected at least two times, the start first, got shape {list(ts.shape)}; "
            "pass ts=jax.numpy.linspace(0.0, t_end, 11)."
        )
    ts = check_finite(ts.astype(dtype), "ts")
    guard(ts, (jnp.diff(ts) > 0).all(), "expected increasing times; sort ts and drop repeats.")
    message = "expected a finite start x0, got NaN or infinity; remove or replace those tokens."
    return guard_at_run_time(x0, finite(x0), message), ts


@eqx.filter_jit
def _integrate(dynamics, x0, ts, observe, plan: Plan, args):
    def look(t, state, args):
        state = dynamics.project(state)
        return {name: f(state) for name, f in observe.items()}, dynamics.solved(t, state, args)

    def end(t, state, args):
        state = dynamics.project(state)
        return state, dynamics.solved(t, state, args)

    saves = (diffrax.SubSaveAt(ts=ts, fn=look), diffrax.SubSaveAt(t1=True, fn=end))
    with warnings.catch_warnings():
        # diffrax marks what is not yet saved by infinity, which counts and truth values do not have.
        warnings.filterwarnings("ignore", "invalid value encountered in cast", RuntimeWarning)
        solution = plan.solve(dynamics, x0, ts[0], ts[-1], diffrax.SaveAt(subs=saves), args)
    (values, solved), (final, last) = cast(tuple, solution.ys)
    reached = cast(tuple, solution.ts)[1][0]
    if last is not None:
        last = last[0] & (solved | (ts > reached)).all()
    return values, jax.tree.map(lambda leaf: leaf[0], final), reached, last, solution
