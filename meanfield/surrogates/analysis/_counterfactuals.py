"""What changes of quantities do to an output, and whether that is what was expected."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp

from ..._shown import OneLine
from ..runs import Model
from ._outputs import output_at_end


@dataclass(frozen=True, repr=False)
class Counterfactual(OneLine):
    """An output at the end as it is, and as it would be; `ok`: whether it moved as was expected."""

    id: str
    output: str
    before: float
    after: float
    expect: str
    ok: bool


def counterfactuals(model: Model, values: Mapping[str, float]) -> tuple[Counterfactual, ...]:
    """Each counterfactual of the document, from parameters with these values."""
    found = []
    for row in model.document.solution_and_analysis.counterfactuals:
        before, after = (_run(model, row.output, {**values, **extra}) for extra in ({}, row.set))
        moved = after - before
        ok = {
            "increase": moved > row.tolerance,
            "decrease": moved < -row.tolerance,
            "unchanged": abs(moved) <= row.tolerance,
        }[row.expect]
        found.append(Counterfactual(row.id, row.output, before, after, row.expect, bool(ok)))
    return tuple(found)


def _run(model: Model, output: str, changed: Mapping[str, float]) -> float:
    run = output_at_end(model, output, [*changed])
    return float(run(jnp.asarray([*changed.values()], float)))
