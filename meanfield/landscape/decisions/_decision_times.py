from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._checks import check_integer, check_known, check_scalar
from ..._door import door
from ..._intervals import wilson
from ..._shown import AbstractShown
from ..._typing import Key, Points, Scalar, Weights
from ...dynamics import AbstractParticles
from ...observables import smoothed_entropy
from ...solve import Trajectory
from ._ends import continuation, refuse_failures


class DecisionTimes(AbstractShown):
    """When the outcome of a run was decided.

    - `ts` [T]: the times of the run but the last; `kept` [T]: the share of the runs that go on from there
      and end as this one did, with `low` and `high` [T], its 95 % interval by Wilson;
    - `time`: the first of `ts` from which on `kept` stays at `level` or above; NaN if there is none;
    - `rate` [T]: dH/dt of the entropy along the flow, whose small values are also proposed as a sign of
      decisions; `quietest`: where |dH/dt| is least.
    """

    ts: Float[Array, " T"]
    kept: Float[Array, " T"]
    low: Float[Array, " T"]
    high: Float[Array, " T"]
    time: Scalar
    rate: Float[Array, " T"]
    quietest: Scalar


def _entropy(x: Points, w: Weights | None = None) -> Scalar:
    return smoothed_entropy(x, 8.0, w)


@door
def decision_times(
    flow: AbstractParticles,
    run: Trajectory,
    key: Key,
    runs: int = 64,
    *,
    spread: Scalar | float = 0.0,
    level: Scalar | float = 0.75,
    label: Callable[[Points], Any] | None = None,
    tolerance: Scalar | float = 1e-2,
    functional: Callable[[Points, Weights | None], Scalar] = _entropy,
    tol: Scalar | float = 1e-6,
    dt: Scalar | float | None = None,
    solver: Any = None,
    args: Any = None,
) -> DecisionTimes:
    """When along a run its outcome is decided: how many of those that go on from each state end alike.

        kept(t) = P(label(X(t_end)) = label(x(t_end)) | X(t) = exp_{x(t)}(spread xi)),    xi normal

    the committor of the run's own outcome: of a noisy flow over other noise, of any flow over starts
    within `spread`. Near a boundary of two basins, at a distance s from it, it is Phi(s/spread) without
    noise. `level` = 3/4 lies half way between a coin and certainty; 1/2 is the crossing of a committor.

    - `run`: a run of the flow with `observe={"x": mf.observables.state}`.
    - `functional`: the entropy H(x, w) of `rate`, `smoothed_entropy(x, 8.0, w)` by default. |dH/dt| is
      least where a run rests, at a saddle or for good: it does not tell a decision from its result.

    Other arguments as for `basins`, and errors too; ValueError for a run without `values["x"]`
    [T, n, d] of a cloud.

    Cost: T `runs`, each from its time to the end.
    Source: E and Vanden-Eijnden, J. Stat. Phys. 123 (2006) 503, doi 10.1007/s10955-005-9003-9, for
    committors.
    """
    runs, level = check_integer(runs, "runs"), float(check_scalar(level, "level"))
    check_known((flow, run, spread), "a run", "call decision_times outside of jax.jit")
    x = run.values.get("x")
    if not isinstance(x, jax.Array) or x.ndim != 3:
        raise ValueError(
            'expected a run that kept its clouds; pass observe={"x": mf.observables.state} to simulate.'
        )
    go_on = continuation(flow, label, spread, tolerance, tol, dt, solver, args)
    labels, ok = go_on(run.ts[:-1], x[:-1], run.ts[-1], jax.random.split(key, runs))
    refuse_failures(ok)
    own = np.asarray(go_on.label(x[-1]))
    same = np.asarray(labels).reshape(*labels.shape[:2], -1) == own.ravel()
    count = same.all(axis=2).sum(axis=1)
    low, high = wilson(count, runs)
    kept, times = count / runs, np.asarray(run.ts[:-1])
    since = 1 + int(np.max(np.flatnonzero(kept < level), initial=-1))
    rate = _rates(flow, functional, run.ts[:-1], x[:-1], args)
    time = times[since] if since < len(times) else np.nan
    kept, low, high, time = (jnp.asarray(part, x.dtype) for part in (kept, low, high, time))
    quietest = jnp.where(jnp.isnan(rate).any(), jnp.nan, run.ts[jnp.argmin(jnp.abs(rate))])
    return DecisionTimes(run.ts[:-1], kept, low, high, time, rate, quietest)


@eqx.filter_jit
def _rates(flow: AbstractParticles, functional: Callable, ts, x, args) -> Float[Array, " T"]:
    def rate(t, x):
        velocity = flow.drift(t, x, args)
        return jax.jvp(lambda x: functional(x, flow.weights), (x,), (velocity,))[1]

    return jax.vmap(rate)(ts, x)
