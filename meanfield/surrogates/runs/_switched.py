"""Runs in which events happen whenever conditions of the state begin to hold."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..._typing import Scalar
from ...solve import SolveError
from ...solve.methods import Stretch, run_until
from ..expressions import Expr, Relation, value_of
from ._flow import Flow, surroundings
from ._model import Model
from ._scales import sizes_of

MOST = 1000
"""So many events may happen in a run."""
CLOSE = 1e-6
"""A condition that begins to hold again after less than this share of a run fails it: events accumulate, as
those of a ball that comes to rest, and soon would lie below rounding."""


class Switched(NamedTuple):
    """States [k, n] and what events set [k] at saved times; state and values at the end; whether all went
    well; times at which conditions began to hold, and which, -1 for none."""

    states: Array
    over: dict[str, Array]
    last: Array
    values: dict[str, Array]
    ok: Bool[Array, ""]
    times: Float[Array, " m"]
    which: Int[Array, " m"]


def changed(model: Model, at: Any, state: Array, args: dict, values: Mapping[str, Expr]):
    """State and values of parameters after an event."""
    around = surroundings(model, jnp.asarray(at), dict(zip(model.states, state, strict=True)), args)
    new = {name: jnp.asarray(value_of(expression, around)) for name, expression in values.items()}
    rows = [jnp.asarray(new.get(n, row)) for n, row in zip(model.states, state, strict=True)]
    others = {name: each for name, each in new.items() if name not in model.states}
    return jnp.stack(rows), args | others


def switched(
    model: Model, state: Array, begin: float, ts: np.ndarray, end: float, args: dict, options: dict
) -> Switched:
    """The run from one time to another, saved at times between. Raises SolveError where it fails, unless
    the options say `throw=False`."""
    first, saved, last = (jnp.asarray(each, float) for each in (begin, ts, end))
    run = _run(model, state, first, saved, last, args, options.get("adjoint"))
    if options.get("throw", True) and not bool(run.ok):
        raise SolveError(
            f"the run failed after {int((run.which >= 0).sum())} events; shorten it, or keep events "
            "from accumulating"
        )
    return run


@eqx.filter_jit
def _run(model: Model, state: Array, begin: Array, ts: Array, end: Array, args: dict, adjoint: Any):
    named = {n for each in model.switches for n in each.values if n not in model.states}

    def step(carry: tuple) -> tuple:
        count, t, run, _ = carry
        now = args | run.values
        part = _stretch(model, run.last, t, ts, end, now, adjoint)
        between = (ts > t) & (ts <= part.t)
        after, values = _after(model, part, now, named)
        none = part.which < 0
        same = jnp.where(run.which == part.which, run.times, -jnp.inf).max()
        apart = none | (part.t - same > CLOSE * (end - begin))
        run = Switched(
            jnp.where(between[:, None], part.states, run.states),
            {n: jnp.where(between, now[n], run.over[n]) for n in named},
            after,
            values,
            part.ok & apart & (none | (count + 1 < MOST)),
            run.times.at[count].set(part.t),
            run.which.at[count].set(part.which),
        )
        return count + 1, part.t, run, none | ~run.ok

    first = {name: jnp.asarray(args[name], float) for name in named}
    start = Switched(
        jnp.full((*ts.shape, *state.shape), jnp.nan),
        {n: jnp.broadcast_to(each, ts.shape) for n, each in first.items()},
        state,
        first,
        jnp.asarray(True),
        jnp.full(MOST, jnp.nan),
        jnp.full(MOST, -1),
    )
    carry = jnp.asarray(0), begin, start, jnp.asarray(False)
    return jax.lax.while_loop(lambda c: ~c[3], step, carry)[2]


def _stretch(
    model: Model, state: Array, t: Array, ts: Array, end: Array, args: dict, adjoint: Any
) -> Stretch:
    """The run until the next event, or to the end."""
    method, axis = model.document.method_selection, model.document.modeling.independent
    longest = method.step or (axis.stop - axis.start) / (axis.points - 1)

    flow = Flow(model, sizes_of(model))

    def excess(relation: Relation):
        return lambda t, y, a: jnp.asarray(
            value_of(relation.excess, _around(model, t, flow.natural(y), a)), float
        )

    excesses, tol = [excess(each.when) for each in model.switches], jnp.asarray(method.tolerance)
    start = flow.measured(state)
    part = run_until(flow.drift, start, t, ts, end, args, excesses, tol, adjoint, longest=longest)
    states, last = jax.vmap(flow.natural)(part.states), flow.natural(part.last)
    return part._replace(states=states, last=last)


def _around(model: Model, t: Scalar, state: Array, args: dict) -> dict[str, Any]:
    return surroundings(model, t, dict(zip(model.states, state, strict=True)), args)


def _after(
    model: Model, part: Stretch, args: dict, named: set[str]
) -> tuple[Array, dict[str, Array]]:
    """State and values after the event that ended a stretch, if one did."""
    state, values = part.last, {name: args[name] for name in named}
    for k, each in enumerate(model.switches):
        new, others = changed(model, part.t, part.last, args, each.values)
        here = part.which == k
        state = jnp.where(here, new, state)
        values = {name: jnp.where(here, others[name], values[name]) for name in named}
    return state, values
