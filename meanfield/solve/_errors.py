import diffrax
import jax
import jax.numpy as jnp

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


def raise_if_failed(state, result: diffrax.RESULTS, ok, reached=None):
    """`state`, whatever a run returns, or a SolveError if the run failed, at the time `reached`.

    Under jit and vmap it is an error at run time instead.
    """
    if not is_concrete(ok):
        message = "the run failed; use throw=False to see how."
        return raise_at_run_time(state, ok, message)
    if not bool(ok):
        raise SolveError(describe(result, reached))
    return state


def describe(result: diffrax.RESULTS, reached=None) -> str:
    """One sentence about a failed run, with the time that it reached and its remedy."""
    early = "The run stopped early" + ("" if reached is None else f", at t = {reached:.6g}")
    for known, remedy in REMEDIES:
        if bool(result == known):
            return f"{early}: {remedy}."
    if bool(result == diffrax.RESULTS.successful):
        return "The state became NaN or infinite: lower dt, shorten ts, or use a smaller beta."
    return f"{early}: {diffrax.RESULTS[result]}"
