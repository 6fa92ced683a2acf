from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._checks import check_finite, check_instance, check_precision, is_concrete
from .._typing import Points, Scalar, Weights
from ..geometry import AbstractGeometry, Euclidean, Sphere
from ..transport.costs import weights_or_uniform

_BLOCK = 2**22
"""Numbers that a block of differences of tokens may hold."""


def cloud(x, least: int = 1) -> Points:
    """`x` as a cloud of at least `least` points; its numbers are checked where they are known."""
    x = check_finite(x) if is_concrete(x) else check_precision(x, "x")
    if x.ndim != 2 or x.shape[0] < least:
        raise ValueError(
            f"expected x of shape [n, d] with n >= {least}, got {list(x.shape)}; "
            "put one token a row, and use vmap for a batch of clouds."
        )
    return x


def on_sphere(x, least: int = 1) -> Points:
    """`x` as a cloud of unit vectors."""
    x = cloud(x, least)
    return Sphere(x.shape[1]).check(x) if is_concrete(x) else x


def on_geometry(x, geometry: AbstractGeometry | None) -> tuple[Points, AbstractGeometry]:
    """`x` as a cloud of points of a geometry, the sphere if None; and that geometry."""
    x = cloud(x)
    geometry = Sphere(x.shape[1]) if geometry is None else geometry
    check_instance(geometry, AbstractGeometry, "a geometry", "pass Sphere(d) or Euclidean(d)")
    return geometry.check(x) if is_concrete(x) else x, geometry


def known(x: Points, found):
    """`found`, a floating-point answer, or NaN if a coordinate of the cloud is not finite."""
    return jnp.where(jnp.isfinite(x).all(), found, jnp.nan)


def masses(w, x: Points) -> Weights:
    """`w` as the weights of the cloud x, uniform if None; NaN where traced ones are none."""
    return weights_or_uniform(w, x.shape[0], x.dtype, "w")


def angles(token: Float[Array, " d"], x: Points) -> Float[Array, " n"]:
    """The angles of one token with all of x, by differences: 1 - <x, y> would round small ones off."""
    return Sphere(x.shape[1]).distance(jnp.broadcast_to(token, x.shape), x)


def within(
    token: Float[Array, " d"], x: Points, radius: Scalar, geometry: AbstractGeometry
) -> Bool[Array, " n"]:
    """Which of x are at a distance of at most `radius` from one token, to rounding.

    On the sphere and in R^d it is asked of chords, at a fraction of the cost of distances, and in units
    of the largest, whose squares neither overflow nor vanish. Beyond a quarter turn they are chords to
    the opposite point: near it those to the token are all alike.
    """
    if not isinstance(geometry, Sphere | Euclidean):
        return geometry.distance(jnp.broadcast_to(token, x.shape), x) <= radius
    round_ = isinstance(geometry, Sphere)
    wide, slack = round_ & (radius > jnp.pi / 2), 8 * jnp.finfo(x.dtype).eps
    chord = 2 * jnp.where(wide, jnp.cos(radius / 2), jnp.sin(radius / 2)) if round_ else radius
    apart = x - jnp.where(wide, -token, token)
    square = jnp.sum(jnp.where(apart == 0, 0, apart / chord) ** 2, axis=1)
    near = jnp.where(wide, square >= 1 - slack, square <= 1 + slack)
    return near | (round_ & (radius >= jnp.pi) & jnp.isfinite(x).all(axis=1))


def first_of_equal(x: Points) -> Bool[Array, " n"]:
    """Which tokens have no earlier one at their place."""
    order = jnp.arange(x.shape[0])
    return ~map_rows(lambda token, i: ((x == token).all(axis=1) & (order < i)).any(), x, order)


def map_rows(function: Callable, x: Points, *rows: Array) -> Array:
    """`function(token, ...)` of each row of x and `rows`, a block of tokens at a time.

    `function` may hold n x d numbers a token: blocks are cut so that they fit in memory, and computed
    again for a gradient.
    """
    block = min(x.shape[0], max(1, _BLOCK // x.size))
    return jax.lax.map(jax.checkpoint(lambda row: function(*row)), (x, *rows), batch_size=block)
