"""What is looked at while a run goes on: observables, and checks of its states."""

import dataclasses
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from .._checks import as_array
from .._hooks import answering
from .._typing import Scalar
from ..dynamics import AbstractDynamics
from ._errors import CONVERGED, Failure, raise_if_failed, within_scale
from ._trajectory import Trajectory

STABLE = "the fixed steps amplify what the flow damps; lower dt, or leave it out for adaptive steps"
_MOST_KEPT = 2**20
"""Bytes of states that are kept for checks after a run."""
Checks = dict[str, Bool[Array, "..."]]


def check(dynamics: AbstractDynamics, t: Scalar, state, args: Any) -> Checks:
    """What a dynamics says of one of its states: sentences on what would be wrong, and whether all is
    well."""
    solved = dynamics.solved(t, state, args)
    return dynamics.requirements(state) | ({} if solved is None else {CONVERGED: solved})


def kept(dynamics: AbstractDynamics, ts, state, args: Any) -> bool:
    """Whether states are kept while a run goes on, so that inner iterations are checked after it.

    diffrax compiles what it saves at three places, and an inner iteration may take seconds to compile.
    Not where so many states take much memory: then they are checked where they are saved.
    """
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    if len(ts) * size > _MOST_KEPT:
        return False
    return eqx.filter_eval_shape(_solved, dynamics, ts[0], state, args) is not None


@eqx.filter_jit
def seen(dynamics: AbstractDynamics, observe, keep: bool, t: Scalar, state, args: Any):
    """The observables of a state, the checks of it, and itself where it is kept for checks after the run.

    diffrax traces what it saves six times a run: in a program of its own it is traced once."""
    state = dynamics.project(state)
    if keep:
        return observed(observe, state), dynamics.requirements(state), state
    return observed(observe, state), check(dynamics, t, state, args), None


def solved_at(dynamics: AbstractDynamics, ts, states, reached: Scalar, final, args: Any):
    """Whether inner iterations converged at all saves, and at the end: in a program of one copy of them.

    What was not reached is looked at as the last state is.
    """

    def ahead(leaf: Array, last: Array) -> Array:
        missed = (ts > reached).reshape(-1, *[1] * last.ndim)
        return jnp.concatenate([jnp.where(missed, last, leaf), last[None]])

    along = jnp.append(ts, reached), jax.tree.map(ahead, states, final)
    dynamics, along, args = jax.tree.map(
        lambda leaf: jax.lax.stop_gradient(leaf) if eqx.is_inexact_array(leaf) else leaf,
        (dynamics, along, args),
    )
    found = jax.lax.map(lambda at: _solved(dynamics, at[0], at[1], args), along)
    return found[:-1], found[-1]


@eqx.filter_jit
def _solved(dynamics: AbstractDynamics, t: Scalar, state, args: Any) -> Bool[Array, ""] | None:
    return dynamics.solved(t, state, args)


def observed(observe: dict[str, Callable], state) -> dict[str, Any]:
    """The observables of a state as arrays, plain numbers among them."""

    def number(leaf, name: str) -> Array:
        plain = isinstance(leaf, bool | int | float)
        return jnp.asarray(leaf) if plain else as_array(leaf, f"the observable {name}")

    return {
        name: jax.tree.map(lambda leaf, name=name: number(leaf, name), function(state))
        for name, function in observe.items()
    }


def total(saved: Checks, last: Checks, ts, reached) -> Checks:
    """Checks that hold where they hold at all saves that were reached, and at the end."""
    missed = ts > reached
    return {name: last[name] & (saved[name] | missed).all() for name in last}


@dataclasses.dataclass(frozen=True)
class End:
    """How a run ended: what diffrax says, the time that it reached, and what was checked on the way."""

    successful: Bool[Array, ""]
    result: diffrax.RESULTS
    reached: Scalar
    checks: Checks

    def ok(self, final) -> Bool[Array, ""]:
        """Whether the run succeeded, its states pass all checks, and the last is within scale."""
        return (
            self.successful & within_scale(final) & jnp.stack([*self.checks.values(), True]).all()
        )

    def returned(self, dynamics, ts, values, final, stats, plan, throw, merges=None) -> Trajectory:
        """The trajectory, or a SolveError if the run failed and is to say so."""
        ok = self.ok(final)
        if throw:
            remedy = "shorten ts" if plan.dt is None else "lower dt or shorten ts"
            inner = answering(dynamics, "solved")
            failure = Failure(self.result, remedy, self.checks, inner, self.reached)
            values, final = raise_if_failed((values, final), ok, failure)
        else:
            values = without_missing(values, ts > self.reached)
        if CONVERGED in self.checks:
            stats = stats | {CONVERGED: self.checks[CONVERGED]}
        return Trajectory(ts, values, final, stats, self.result, ok, self.reached, merges)


def without_missing(values, missed: Bool[Array, " T"]):
    """Values as floats, NaN where a run had stopped before they could be saved."""

    def fill(leaf: Array) -> Array:
        number = leaf if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf.astype(float)
        return jnp.where(missed.reshape(-1, *[1] * (leaf.ndim - 1)), jnp.nan, number)

    return jax.tree.map(fill, values)
