"""Derivatives along the axis of a field, by finite volumes of second order."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from ..documents import Boundary, Domain
from ..expressions import Expr, value_of

Values = dict[str, Any]


def centres(domain: Domain, beyond: int = 0) -> Array:
    """The centres of the cells, and of so many beyond each end."""
    h = width(domain)
    return domain.start + h * (jnp.arange(-beyond, domain.cells + beyond, dtype=float) + 0.5)


def width(domain: Domain) -> float:
    """The width of a cell."""
    return (domain.stop - domain.start) / domain.cells


def padded(values: Array, domain: Domain, end: Boundary | None) -> Array:
    """The cells of a field with one beyond each end, so that what lies between them is at the end.

    On a ring the cell from the other side; without flux that beside it; with a fixed value 2 value - it.
    """
    if domain.kind == "ring":
        return jnp.concatenate([values[-1:], values, values[:1]])
    assert end is not None
    if end.kind == "no-flux":
        return jnp.concatenate([values[:1], values, values[-1:]])
    assert end.start is not None and end.stop is not None
    return jnp.concatenate([2 * end.start - values[:1], values, 2 * end.stop - values[-1:]])


def divergence(
    flux: Expr,
    domain: Domain,
    end: Boundary | None,
    wide: dict[str, Array],
    surroundings: Callable[[dict[str, Array], Array], Values],
) -> Array:
    """(F_{i+1/2} - F_{i-1/2})/h, with the flux F at the faces between cells.

    States at faces are averages of the cells beside them, derivatives within the flux differences of
    these cells. `wide` are states padded, `surroundings` all values that follow from states at places.
    Where the field has no flux through its ends, F = 0 there.
    """
    h = width(domain)
    edges = domain.start + h * jnp.arange(domain.cells + 1, dtype=float)
    faces = {name: (each[1:] + each[:-1]) / 2 for name, each in wide.items()}
    beyond = surroundings(wide, centres(domain, 1))

    def slope(inner: Expr) -> Array:
        values = jnp.broadcast_to(jnp.asarray(value_of(inner, beyond)), (domain.cells + 2,))
        return jnp.diff(values) / h

    found = jnp.asarray(value_of(flux, surroundings(faces, edges), slope))
    found = jnp.broadcast_to(found, (domain.cells + 1,))
    if end is not None and end.kind == "no-flux":
        found = found.at[0].set(0).at[-1].set(0)
    return jnp.diff(found) / h
