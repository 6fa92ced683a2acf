import dataclasses
from collections.abc import Sequence
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from .._checks import is_concrete, raise_at_run_time

REMEDIES = (
    (
        diffrax.RESULTS.max_steps_reached,
        "the solver used up its steps; raise max_steps, loosen tol, or pass merge=1e-6 if tokens cluster",
    ),
    (
        diffrax.RESULTS.dt_min_reached,
        "the steps became too small to move the time, for the drift blows up or is NaN; "
        "use a smaller beta or shorten ts",
    ),
)


class SolveError(RuntimeError):
    """A run that failed numerically; `simulate(..., throw=False)` returns it instead of raising."""


def finite(state) -> jax.Array:
    """Whether every number of a state is finite."""
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state)]).all()


@dataclasses.dataclass(frozen=True)
class Failure:
    """How a run ended: the solver's result, whether inner iterations (which are named) converged, and
    the time that it reached."""

    result: diffrax.RESULTS
    converged: Any = None
    inner: Sequence[str] = ()
    reached: Any = None


@dataclasses.dataclass(frozen=True)
class Misstep:
    """How discrete steps went: whether each converged (None if it says nothing of that), whether each
    left a finite state, and what the scheme advises."""

    converged: Any
    finite: Any
    remedy: str


def raise_if_failed(state, ok, failure: Failure | Misstep):
    """`state`, whatever a run returns, or a SolveError if the run failed.

    Under jit and vmap it is an error at run time instead.
    """
    if not is_concrete(ok):
        message = "the run failed; use throw=False to see how."
        return raise_at_run_time(state, ok, message)
    if not bool(ok):
        raise SolveError(describe(failure))
    return state


def describe(failure: Failure | Misstep) -> str:
    """One sentence about a failed run, with the time that it reached and its remedy."""
    if isinstance(failure, Misstep):
        return _describe_step(failure)
    result, reached = failure.result, failure.reached
    early = "The run stopped early" + ("" if reached is None else f", at t = {reached:.6g}")
    inner = f"the iterations of {' or '.join(failure.inner)}"
    if failure.converged is not None and not bool(failure.converged):
        return (
            f"By t = {reached:.6g}, {inner} did not reach their tolerance; "
            "loosen it or allow more of them."
        )
    for known, remedy in REMEDIES:
        if bool(result == known):
            maybe = "" if failure.converged is None else f", as where {inner} do not converge"
            return f"{early}: {remedy}{maybe}."
    if bool(result == diffrax.RESULTS.successful):
        return "The state became NaN or infinite: lower dt, shorten ts, or use a smaller beta."
    return f"{early}: {diffrax.RESULTS[result]}"


def _describe_step(failure: Misstep) -> str:
    ended = np.asarray(failure.finite)
    solved = np.ones_like(ended) if failure.converged is None else np.asarray(failure.converged)
    first = int(np.argmin(ended & solved))
    what = "did not converge" if not solved[first] else "left a state that is NaN or infinite"
    return f"Step {first + 1} of {len(ended)} {what}: {failure.remedy}."
