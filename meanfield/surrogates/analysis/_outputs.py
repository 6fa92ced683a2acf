"""A number at the end of a run, as a function of what is varied."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from ..._typing import Scalar
from ..expressions import read_expression
from ..runs import Model, evaluate, solve, times


def output_at_end(
    model: Model, symbol: str, names: Sequence[str], **options: Any
) -> Callable[[Array], Scalar]:
    """A state, an output or a measurement at the end, of the values of these quantities; a field's mean.

    Raises ValueError for equations with noise, of which no run is the same, and for other symbols.
    """
    known = {*model.states, *model.outputs, *model.measured}
    if not isinstance(symbol, str) or symbol not in known:
        raise ValueError(f"expected an output among {sorted(known)}, got {symbol!r}; choose one.")
    if model.noises:
        raise ValueError(
            "expected equations without noise, got some with it; write those of the means, as in E4_mean."
        )
    expression = model.measured.get(symbol)
    if expression is None:
        expression = read_expression(symbol, [symbol])

    def output(values: Array) -> Scalar:
        changed: Mapping[str, Any] = dict(zip(names, values, strict=True))
        run = solve(model, changed, times(model), options)  # by the program of simulations
        return jnp.mean(evaluate(model, run, {symbol: expression})[symbol][-1])

    return output
