"""A number at the end of a run, as a function of what is varied."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from ..._typing import Scalar
from ..expressions import Expr, read_expression
from ..runs import Model, evaluate, solve, times

OUTPUT = "the output"


class _OutputAtEnd(eqx.Module):
    """The same function for the same model: what is compiled of it is found again."""

    model: Model = eqx.field(static=True)
    expression: Expr = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    options: dict[str, Any]

    def __call__(self, values: Array) -> Scalar:
        changed = dict(zip(self.names, values, strict=True))
        run = solve(self.model, changed, times(self.model), self.options)
        return jnp.mean(evaluate(self.model, run, {OUTPUT: self.expression})[OUTPUT][-1])


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

    return _OutputAtEnd(model, expression, (*names,), options)
