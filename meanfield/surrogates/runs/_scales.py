"""What a solver must be told of a document: how large its states are, and when something in it jumps."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jaxtyping import Array, Float

from ..expressions import Expr, value_of
from ._flow import rates
from ._model import Model
from ._starts import arguments, start_of
from ._tables import bends

LEAST = 1e-30


@functools.lru_cache(64)
def sizes_of(model: Model) -> tuple[float, ...]:
    """By what states are measured while they are integrated, so that errors are small against those too that
    stay far below 1: what they start from, from zero what their first rate adds over the run; 1 at most."""
    with jax.ensure_compile_time_eval():
        args = arguments(model)
        start = start_of(model, args)
        axis = model.document.modeling.independent
        slopes = rates(model, jnp.asarray(axis.start), start, args) * (axis.stop - axis.start)
        largest = [
            np.abs(np.asarray(each)).reshape(len(start), -1).max(axis=1) for each in (start, slopes)
        ]
    found = np.where(largest[0] > 0, *largest)
    sound = np.isfinite(found) & (found > LEAST)
    return tuple(np.where(sound, np.minimum(found, 1.0), 1.0).tolist())


def kinks_of(model: Model, args: dict[str, Any]) -> Float[Array, " kinks"] | None:
    """The times at which inputs bend, or an argument of `step` passes zero that is linear in time and else of
    numbers alone; None if never. The solver lands on them, where it might pass over a short pulse."""
    bent, found = bends(args), []
    if bent is not None:
        found.append(bent)
    for each in _steps(model):
        if {str(s) for s in each.free_symbols} - {model.time} <= args.keys():
            at_0, at_1 = (value_of(each, {**args, model.time: t}) for t in (0.0, 1.0))
            slope = jnp.asarray(at_1 - at_0, float)
            safe = jnp.where(slope == 0, 1.0, slope)
            found.append(jnp.where(slope == 0, jnp.inf, -jnp.asarray(at_0, float) / safe)[None])
    return jnp.sort(jnp.concatenate(found)) if found else None


@functools.lru_cache(64)
def jumping(model: Model) -> frozenset[str]:
    """The symbols within arguments of step, by which nothing that a run gives has a derivative that tells."""
    every = [*model.rates.values(), *model.outputs.values(), *model.measured.values()]
    return frozenset(
        str(s)
        for each in every
        for e in sympy.preorder_traversal(each)
        if is_step(e)
        for s in e.free_symbols
    )


@functools.lru_cache(64)
def _steps(model: Model) -> tuple[Expr, ...]:
    """Arguments of step that are linear in time, of all that is computed along a run."""
    every = [*model.rates.values(), *model.outputs.values(), *model.inputs.values()]
    calls = [e for each in every for e in sympy.preorder_traversal(each) if is_step(e)]
    arguments = dict.fromkeys(each.args[0] for each in calls)
    return tuple(each for each in arguments if _degree(each, model.time) == 1)


def is_step(expression: Expr) -> bool:
    """Whether it is a call of step."""
    return bool(expression.is_Function) and expression.func.__name__ == "step"


def _degree(expression: Expr, time: str) -> float:
    """Of an expression in time; infinite for what is no polynomial."""
    if time not in {str(s) for s in expression.free_symbols}:
        return 0.0
    if expression.is_Symbol:
        return 1.0
    if expression.is_Add:
        return max(_degree(each, time) for each in expression.args)
    if expression.is_Mul:
        return sum((_degree(each, time) for each in expression.args), 0.0)
    return float("inf")
