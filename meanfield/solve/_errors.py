import dataclasses
from collections.abc import Sequence
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from .._checks import raise_at_run_time
from .._known import all_of, at_hand, is_concrete

STUCK = "the steps became too small to move the time, for the drift blows up or is NaN; shorten ts"
REMEDIES = (
    (
        diffrax.RESULTS.max_steps_reached,
        "the solver used up its steps; raise max_steps, loosen tol, or pass merge=1e-4 if tokens cluster",
    ),
    (diffrax.RESULTS.dt_min_reached, STUCK),
)


class SolveError(RuntimeError):
    """A run that failed numerically; `simulate(..., throw=False)` returns it instead of raising."""


def within_scale(state) -> Any:
    """Whether all numbers of a state are finite, and their squares too: no run that is resolved grows
    beyond that, and whatever is measured of it would be infinite."""

    def within(leaf) -> Any:
        values, _ = at_hand(leaf)
        return (abs(values) < float(jnp.finfo(leaf.dtype).max) ** 0.5).all()  # NaN is not

    return all_of([within(leaf) for leaf in jax.tree.leaves(state)])


@dataclasses.dataclass(frozen=True)
class Failure:
    """What is known of how a run ended.

    `checks` are those of `Watch`, `inner` the names of what iterates in the drift, `remedy` what may keep
    the state within scale.
    """

    result: diffrax.RESULTS
    remedy: str
    checks: dict[str, Any] = dataclasses.field(default_factory=dict)
    inner: Sequence[str] = ()
    reached: Any = None


@dataclasses.dataclass(frozen=True)
class Misstep:
    """How discrete steps went: whether each converged (None if it says nothing of that), whether each
    left a state within scale, and what the scheme advises."""

    converged: Any
    sound: Any
    remedy: str


def raise_if_failed(state, ok, failure: Failure | Misstep):
    """`state`, whatever a run returns, or a SolveError if the run failed.

    Under jit and vmap it is an error at run time instead.
    """
    if not is_concrete(ok):
        return raise_at_run_time(state, ok, f"{RUN_FAILED}; use throw=False to see how.")
    if not bool(ok):
        raise SolveError(describe(failure))
    return state


def describe(failure: Failure | Misstep) -> str:
    """One sentence about a failed run, with the time that it reached and its remedy."""
    if isinstance(failure, Misstep):
        return _describe_step(failure)
    at = "" if failure.reached is None else f"t = {failure.reached:.6g}"
    inner = f"the iterations of {' or '.join(failure.inner)}"
    for name, good in failure.checks.items():
        if not bool(good):
            return f"By {at}, {INNER.format(inner) if name == CONVERGED else name}."
    for known, remedy in REMEDIES:
        if bool(failure.result == known):
            maybe = f", as where {inner} do not converge" if CONVERGED in failure.checks else ""
            return f"The run stopped early, at {at}: {remedy}{maybe}."
    if bool(failure.result == diffrax.RESULTS.successful):
        return f"The state became NaN or grew beyond all scale: {failure.remedy}."
    return f"The run stopped early, at {at}: {diffrax.RESULTS[failure.result]}"  # pyright: ignore[reportInvalidTypeArguments]


def _describe_step(failure: Misstep) -> str:
    ended = np.asarray(failure.sound)
    solved = np.ones_like(ended) if failure.converged is None else np.asarray(failure.converged)
    first = int(np.argmin(ended & solved))
    what = (
        "did not converge" if not solved[first] else "left a state that is NaN or beyond all scale"
    )
    return f"Step {first + 1} of {len(ended)} {what}: {failure.remedy}."


CONVERGED = "converged"
"""The name of the check that the inner iterations of a drift reach their tolerance."""
RUN_FAILED = "the run failed"
"""How the error of a program begins."""
INNER = "{} did not reach their tolerance; loosen it or allow more of them"
