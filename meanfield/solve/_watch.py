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
Checks = dict[str, Bool[Array, "..."]]


def check(dynamics: AbstractDynamics, t: Scalar, state, args: Any) -> Checks:
    """What a dynamics says of one of its states: sentences on what would be wrong, and whether all is
    well."""
    solved = dynamics.solved(t, state, args)
    return dynamics.requirements(state) | ({} if solved is None else {CONVERGED: solved})


@eqx.filter_jit
def look(dynamics: AbstractDynamics, observe: dict[str, Callable], t: Scalar, state, args: Any):
    """The observables of a state and the checks of it.

    diffrax traces what it saves six times a run: in a program of its own it is traced once."""
    state = dynamics.project(state)
    return observed(observe, state), check(dynamics, t, state, args)


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
