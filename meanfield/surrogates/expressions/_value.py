"""Expressions as numbers of jax: each node of the tree is an operation."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from ._parse import DERIVATIVE, Expr, constant_of

FUNCTIONS: dict[str, Callable[..., Array]] = {
    "exp": jnp.exp,
    "log": jnp.log,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tan": jnp.tan,
    "atan": jnp.arctan,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "tanh": jnp.tanh,
    "abs": jnp.abs,
    "min": jnp.minimum,
    "max": jnp.maximum,
    "step": lambda x: jnp.where(x >= 0, jnp.ones_like(x), jnp.zeros_like(x)),
}
"""What the functions of expressions compute."""


def value_of(
    expression: Expr,
    values: Mapping[str, Any],
    derivative: Callable[[Expr], Array] | None = None,
) -> Any:
    """The value of an expression where its symbols have these values; `derivative` of a flux, in a field."""
    if expression.is_Symbol:
        return values[str(expression)]
    if expression.is_Number:
        return float(expression)

    def of(each: Expr) -> Any:
        return value_of(each, values, derivative)

    if expression.is_Add:
        parts = [of(each) for each in expression.args]
        return sum(parts[1:], start=parts[0])
    if expression.is_Mul:
        return _product(expression, of)
    if expression.is_Pow:
        return _power(of(expression.args[0]), expression.args[1], of)
    if expression.func == DERIVATIVE:
        assert derivative is not None
        return derivative(expression.args[0])
    return FUNCTIONS[expression.func.__name__.lower()](
        *(jnp.asarray(of(e)) for e in expression.args)
    )


def _product(expression: Expr, of: Callable) -> Any:
    """Factors of power -1 divide."""
    result = None
    for each in expression.args:
        divides = each.is_Pow and each.args[1] == -1
        part = of(each.args[0] if divides else each)
        if result is None:
            result = 1.0 / part if divides else part
        else:
            result = result / part if divides else result * part
    return result


def _power(base: Any, exponent: Expr, of: Callable) -> Any:
    number = constant_of(exponent)
    base = jnp.asarray(base)
    if number is None:
        return base ** of(exponent)
    if number == 0.5:
        return jnp.sqrt(base)
    return base ** (int(number) if number == int(number) else number)
