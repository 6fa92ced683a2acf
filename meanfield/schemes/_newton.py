"""Newton's method over increasing positions, from any start and without convexity."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._typing import Scalar

Row = Float[Array, " n"]
Linear = Callable[[Row], Row]
Solve = Callable[[Linear, Row], tuple[Row, Bool[Array, ""]]]
MOST = 200
"""Newton steps; five are usual, some dozens where many quantiles cross a barrier."""
HALVINGS = 40
KEPT = 0.1
"""The share of a gap that a step leaves at least."""
ROUNDED = 32
"""Roundings of the largest position by which a position is known."""
TOLD = 16
"""How many times that is the least gap whose density can be told."""


def descend(
    value: Linear, force: Linear, solve: Solve, gaps: Linear, mobility: Row, x: Row, walls: bool
) -> tuple[Row, tuple[Scalar, Scalar]]:
    """A minimizer of `value`, of gradient `force`, and the count of steps and 1 if they ended, else 0.

    `solve(hessian, slope)` is Newton's direction and whether the Hessian is positive. Steps are
    shortened so that gaps stay positive and the value falls. They end once the Hessian is positive
    and Newton's next step, which is the error, is none: it moves no position by more than sqrt(eps) of
    the cloud's extent, and no gap by more than sqrt(eps) of itself or `ROUNDED` eps max |x|, whichever
    is more. The step after it would be the square of that, or rounding. With `walls`, which are
    energies of densities, gaps below `TOLD` times the latter tell no density, and are no end.
    """
    eps = float(jnp.finfo(x.dtype).eps)

    def body(state):
        x, now, count, _, _ = state
        slope, hessian = jax.linearize(force, x)
        newton, positive = solve(hessian, slope)
        down = slope @ newton < 0
        direction = jnp.where(down, newton, -mobility * slope)
        gap, change = gaps(x), jax.jvp(gaps, (x,), (direction,))[1]
        lost = ROUNDED * eps * jnp.abs(x).max()
        known = gap > TOLD * lost if walls else jnp.isfinite(gap)
        small = (jnp.abs(change) <= jnp.maximum(eps**0.5 * gap, lost)) & known
        extent = x.max() - x.min() + lost
        near = small.all() & (jnp.abs(direction).max() <= eps**0.5 * extent)
        # At a slope of exactly 0 no direction leads down.
        ended = positive & near & (down | (slope == 0).all())
        shrink = (change / (gap if walls else gap + lost)).min()
        longest = jnp.minimum(1.0, (1 - KEPT) / jnp.maximum(-shrink, 1e-9)).astype(x.dtype)
        new = _search(value, force, (x, now), direction, slope @ direction, longest)
        moved = (new[0] != x).any()
        return *new, count + 1, ended.astype(x.dtype), moved

    def going(state):
        _, _, count, ended, moved = state
        return (count < MOST) & (ended == 0) & moved

    none = jnp.zeros((), x.dtype)
    start = x, value(x), none, none, jnp.array(True)
    x, _, count, ended, _ = jax.lax.while_loop(going, body, start)
    return x, (count, ended)


def _search(
    value: Linear,
    force: Linear,
    old: tuple[Row, Scalar],
    direction: Row,
    slope: Scalar,
    longest: Scalar,
) -> tuple[Row, Scalar]:
    """The first of t, t/2, t/4, ... at which the value falls enough; or none, and the old point.

    Where values are rounding, the slope tells instead, which is a difference of no large numbers
    (Hager, Zhang 2005, doi:10.1137/030601880).
    """
    x, now = old
    noise = 64 * jnp.finfo(x.dtype).eps * (1 + jnp.abs(now))

    def look(t: Scalar):
        at = x + t * direction
        new = value(at)
        flatter = jnp.abs(force(at) @ direction) <= 0.9 * jnp.abs(slope)
        enough = (new <= now + 1e-4 * t * slope) | (flatter & (new <= now + noise))
        return t, new, enough

    def halve(state):
        (t, _, _), count = state
        return look(t / 2), count + 1

    def rising(state):
        (_, _, enough), count = state
        return jnp.logical_not(enough) & (count < HALVINGS)

    start = look(longest), jnp.array(0)
    (t, new, enough), _ = jax.lax.while_loop(rising, halve, start)
    return jnp.where(enough, x + t * direction, x), jnp.where(enough, new, now)
