from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from .._checks import check_instance, check_integer
from .._memory import drop_programs
from .._products import exact_products
from ..schemes import AbstractScheme
from ._errors import Misstep, raise_if_failed, within_scale
from ._integration import check_observe
from ._trajectory import Trajectory
from ._watch import observed


def rollout(
    scheme: AbstractScheme,
    x0,
    steps: int,
    *,
    observe: dict[str, Callable] | None = None,
    args: Any = None,
    throw: bool = True,
) -> Trajectory:
    """The states of a scheme: x0 and `steps` discrete steps after it.

    `rollout(TransformerLayers(3, Softmax(4.0), PostNorm(), 0.1), x0, 100, observe={"x": lambda x: x})`

    Observables are evaluated at the start and after each step, so `values[name]` has leading length
    steps + 1, and `ts` counts steps. `stats` holds what each step reports, stacked. Raises ValueError
    for input that does not fit and `SolveError` if a step did not converge, or left a state that is NaN
    or beyond all scale; with throw=False, `ok` is false then and `stats["converged"]` says which.
    """
    drop_programs()
    check_instance(scheme, AbstractScheme, "a scheme", "simulate(dynamics, x0, ts) runs dynamics")
    x0 = scheme.check(x0)
    steps = check_integer(steps, "steps")
    values, final, info, sound = _scan(scheme, x0, steps, check_observe(observe), args)
    converged = info.get("converged")
    ok = sound.all() if converged is None else (sound & converged).all()
    if throw:
        failure = Misstep(converged, sound, scheme.remedy())
        values, final = raise_if_failed((values, final), ok, failure)
    ts = jnp.arange(steps + 1, dtype=jnp.result_type(*jax.tree.leaves(x0)))
    stats, result = {"steps": steps, **info}, diffrax.RESULTS.successful
    return Trajectory(ts, values, final, stats, result, ok, reached=ts[-1])


@eqx.filter_jit
@exact_products
def _scan(scheme, x0, steps: int, observe: dict[str, Callable], args):
    def look(state):
        state = scheme.project(state)
        return observed(observe, state)

    def body(state, _):
        state, info = scheme.step(state, args)
        return state, (look(state), info, within_scale(state))

    final, (values, info, sound) = jax.lax.scan(body, x0, length=steps)
    values = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), look(x0), values)
    return values, scheme.project(final), info, sound
