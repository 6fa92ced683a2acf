"""A run that ends where a condition of its state begins to hold."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import diffrax
import jax
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Bool, Float, Int

from ..._typing import Scalar

SHARP = 1e-12
"""How sharply the time at which a condition begins to hold is found, by Newton's method."""

NOTHING = 1e-9
"""What rises above zero within this share of a run is at zero."""


class Stretch(NamedTuple):
    """States at times [k, ...], infinite beyond the end; the last state and its time; the number of the
    condition that ended it, or -1; and whether the solver got there."""

    states: Array
    last: Array
    t: Float[Array, ""]
    which: Int[Array, ""]
    ok: Bool[Array, ""]


def run_until(
    drift: Callable[..., Array],
    state: Array,
    begin: Scalar,
    ts: Float[Array, " k"],
    end: Scalar,
    args: Any,
    excesses: Sequence[Callable[[Scalar, Array, Any], Scalar]],
    tol: Scalar,
    adjoint: diffrax.AbstractAdjoint | None = None,
    max_steps: int = 2**14,
    longest: float | None = None,
) -> Stretch:
    """A run from a state at `begin` to `end`, or until one of the excesses falls to zero from above.

    A condition that holds at the start does not end it before it has ceased to hold, and one that holds
    for less than a step may be missed: no step is longer than `longest`. Times `ts` that
    are not between are those of the ends. The time of the end is differentiable, by the implicit function
    theorem. Failures are values.
    """
    conditions = [_condition(each, drift, state, begin, end, args) for each in excesses]
    event = diffrax.Event(
        conditions,
        optx.Newton(rtol=SHARP, atol=SHARP),
        direction=[False] * len(conditions),
    )
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(drift),
        diffrax.Tsit5(),
        begin,
        end,
        None,
        state,
        args,
        saveat=diffrax.SaveAt(
            subs=(diffrax.SubSaveAt(ts=jnp.clip(ts, begin, end)), diffrax.SubSaveAt(t1=True))
        ),
        stepsize_controller=diffrax.PIDController(rtol=tol, atol=tol, dtmax=longest),
        adjoint=adjoint or diffrax.RecursiveCheckpointAdjoint(),
        event=event,
        max_steps=max_steps,
        throw=False,
    )
    (states, last), ended = cast(tuple, solution.ys), cast(tuple, solution.ts)
    happened = jnp.stack([jnp.asarray(mask) for mask in jax.tree.leaves(solution.event_mask)])
    which = jnp.where(happened.any(), jnp.argmax(happened), -1)
    return Stretch(states, last[0], ended[1][0], which, diffrax.is_okay(solution.result))


def _condition(
    excess: Callable, drift: Callable, state: Array, begin: Scalar, end: Scalar, args: Any
) -> Callable:
    """An excess as diffrax asks for it. At the start, where it may be zero but for rounding, it counts as
    positive if it rises: a first step that leads across all that is positive then ends the run too."""
    along = (jnp.ones_like(begin), drift(begin, state, args))
    slope = jax.jvp(lambda t, y: excess(t, y, args), (begin, state), along)[1]

    def value(t: Scalar, y: Array, args: Any, **_: Any) -> Scalar:
        found = excess(t, y, args)
        tiny = jnp.asarray(jnp.finfo(found.dtype).tiny, found.dtype)
        leaves = (t <= begin) & (found > -NOTHING * slope * (end - begin))
        return jnp.where(leaves & (slope > 0), jnp.maximum(found, tiny), found)

    return value
