"""Values of parameters, and of states at the start."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from ..expressions import value_of
from ._fields import centres
from ._model import Model
from ._tables import Tabulated


def arguments(model: Model, changed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values of parameters, known quantities and inputs that are numbers, and of what else is changed, by
    symbol: so that a run with another such input is the same program."""
    constant = {name: float(each) for name, each in model.inputs.items() if each.is_Number}
    values = {**model.numbers, **constant, **(changed or {})}
    states = {*model.states}
    return {
        name: each if isinstance(each, Tabulated) else jnp.asarray(each, float)
        for name, each in values.items()
        if name not in states
    }


def start_of(
    model: Model, args: dict[str, Array], changed: Mapping[str, Any] | None = None
) -> Array:
    """The states at the start, [n] or [n, cells]."""
    domain, values = model.document.modeling.domain, dict(args)
    if domain is not None:
        values[domain.symbol] = centres(domain)
    shape = () if domain is None else (domain.cells,)
    rows = [(changed or {}).get(n, value_of(model.initial[n], values)) for n in model.states]
    return jnp.stack([jnp.broadcast_to(jnp.asarray(row, float), shape) for row in rows])
