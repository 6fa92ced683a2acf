import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..._checks import check_finite
from ..._door import door
from ..._typing import Scalar
from ...geometry import Sphere
from ..costs import Coupling, power_mean
from ._line import ascending, check_pair, check_power, cumulated, intervals, on_line, quantile

TURN = 2 * math.pi


@door
def wasserstein_circle(
    x: ArrayLike,
    y: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    p: Scalar | float = 2.0,
) -> Scalar:
    """The Wasserstein distance W_p between two weighted clouds on the circle of length 2 pi, exact.

        W_p^p = min_s int_0^1 |F^{-1}(u) - G^{-1}(u - s)|^p du

    F^{-1} and G^{-1} are the quantile functions of the angles, continued by G^{-1}(u + 1) = G^{-1}(u)
    + 2 pi. The integral is convex and piecewise linear in the shift s, which bisection finds to
    rounding, in (n + m) log(n + m) time. x [n] and y [m] are angles in radians, or unit vectors
    [n, 2]; weights a, b are uniform by default; p >= 1. Differentiable in points and weights wherever
    the distance is.

    Raises ValueError for p < 1, for points off the circle, half precision, and shapes and weights that do
    not fit; weights that are known only once a jitted function runs give NaN where they do not.

    Source: Delon, Salomon and Sobolevski, SIAM J. Appl. Math. 70 (2010), arXiv 0902.3527; Rabin, Delon
    and Gousseau, J. Math. Imaging Vis. 41 (2011), doi:10.1007/s10851-011-0284-0.
    """
    x, y, p = _angles(x, "x"), _angles(y, "y"), check_power(p)
    a, b = check_pair(x, y, a, b)
    plan = circle_coupling(x, y, a, b, p)
    apart = x[plan.rows] - y[plan.columns]
    turned = apart - TURN * jnp.round(apart / TURN)
    return power_mean(plan.mass, jnp.abs(turned), p)


@eqx.filter_jit
def circle_coupling(x: Float[Array, " n"], y: Float[Array, " m"], a, b, p: float = 2.0) -> Coupling:
    """The optimal coupling of two clouds of angles, monotone up to a shift."""
    x, y = jnp.mod(x, TURN), jnp.mod(y, TURN)
    first, second = ascending(x), ascending(y)
    ordered = jax.lax.stop_gradient((x[first], y[second]))
    if a is None and b is None and x.size == y.size:
        partner = second[jnp.mod(jnp.arange(x.size) + _best_offset(*ordered, p), x.size)]
        return Coupling(first, partner, jnp.full(x.size, 1 / x.size, x.dtype), (x.size, y.size))
    above = cumulated((jnp.full(x.size, 1 / x.size, x.dtype) if a is None else a)[first])
    below = cumulated((jnp.full(y.size, 1 / y.size, y.dtype) if b is None else b)[second])
    shift = _best_shift(*ordered, *jax.lax.stop_gradient((above, below)), p)
    shift = _tied(shift, above, below)
    middle, mass = intervals(jnp.concatenate([above, jnp.mod(below + shift, 1)]))
    rows = first[quantile(above, middle)]
    columns = second[quantile(below, jnp.mod(middle - shift, 1))]
    return Coupling(rows, columns, mass, (x.size, y.size))


def _best_offset(x: Float[Array, " n"], y: Float[Array, " n"], p: float) -> Int[Array, ""]:
    """The k of least sum_i |x_i - y_{i + k}|^p over sorted angles, with y_{i + n} = y_i + 2 pi.

    The sum is convex in k, and all displacements have one sign beyond k = +-n: bisection of integers.
    """
    n = x.size
    turns = jnp.concatenate([y - TURN, y, y + TURN])

    def halve(_, bracket):
        low, high = bracket
        k = (low + high) // 2
        now, after = (jax.lax.dynamic_slice(turns, (n + k + j,), (n,)) for j in (0, 1))
        rising = jnp.sum(jnp.abs(x - after) ** p - jnp.abs(x - now) ** p) >= 0
        ends = jnp.where(rising, low, k + 1), jnp.where(rising, k, high)
        return jax.tree.map(lambda end, old: jnp.where(low < high, end, old), ends, bracket)

    ends = jnp.asarray(-n), jnp.asarray(n)
    return jax.lax.fori_loop(0, (2 * n).bit_length(), halve, ends)[1]


class _Bracket(NamedTuple):
    """Shifts `low` <= the best one <= `high`, and the points of x that levels of y then meet."""

    low: Scalar
    high: Scalar
    first: Int[Array, " m"]
    last: Int[Array, " m"]


def _best_shift(x, y, above, below, p: float) -> Scalar:
    """The minimum of the convex integral over s. All displacements have one sign beyond s = +-1.

    A level of the second law that moves up by ds at u hands the mass ds at F^{-1}(u) from the next
    point of y to the one before. The point of x that it meets is sought among those which it meets
    at the two ends of the bracket, so that later halvings cost little. They end where the shifts at
    which a level passes one of x are all the same.
    """
    turns = jnp.concatenate([x - TURN, x, x + TURN])
    levels = jnp.concatenate([above - 1, above, above + 1])
    after = jnp.concatenate([y[1:], y[:1] + TURN])
    unit = 2 * jnp.finfo(x.dtype).eps

    def halve(bracket: _Bracket):
        low, high, first, last = bracket
        middle = (low + high) / 2
        met = _among(levels, below + middle, first, last)
        at = turns[met]
        rising = jnp.sum(jnp.abs(at - y) ** p - jnp.abs(at - after) ** p) > 0
        lower, upper = _Bracket(low, middle, first, met), _Bracket(middle, high, met, last)
        return jax.tree.map(lambda p, q: jnp.where(rising, p, q), lower, upper)

    def going(bracket: _Bracket):
        passed = bracket.last > bracket.first
        kinks = levels[bracket.first] - below
        spread = jnp.where(passed, kinks, -2).max() - jnp.where(passed, kinks, 2).min()
        several = (spread > unit) | jnp.any(bracket.last > bracket.first + 1)
        return several & (bracket.high - bracket.low > unit)

    one = jnp.ones((), x.dtype)
    ends = jnp.zeros(y.size, jnp.int32), jnp.full(y.size, levels.size - 1, jnp.int32)
    found = jax.lax.while_loop(going, halve, _Bracket(-one, one, *ends))
    passed = found.last > found.first
    kink = jnp.where(passed, levels[found.first] - below, -2).max()
    inside = (kink >= found.low) & (kink <= found.high)
    return jnp.where(inside, kink, (found.low + found.high) / 2)


def _among(levels, u, first, last):
    """The index of the first of the `levels` that is not below u, known to be in first ... last."""

    def halve(ends):
        low, high = ends
        middle = (low + high) // 2
        below = levels[middle] < u
        return jnp.where(below, middle + 1, low), jnp.where(below, high, middle)

    ends = jax.lax.while_loop(lambda ends: jnp.any(ends[0] < ends[1]), halve, (first, last))
    return ends[0]


def _tied(shift: Scalar, above, below) -> Scalar:
    """The same shift, as a function of the weights: it keeps two levels together.

    The least integral stands at a kink, where a level of one law meets one of the other, and follows
    these two as weights change. At any fixed shift the masses between them would change instead.
    """
    level = jnp.mod(jax.lax.stop_gradient(below) + shift, 1)
    after = quantile(above, level)
    near = jnp.stack([after - 1, after])  # before the first level is the last one, a turn less
    gap = jnp.abs(jnp.mod(jax.lax.stop_gradient(above)[near] - level + 0.5, 1) - 0.5)
    at = jnp.argmin(gap)
    apart = (above[near] - below).ravel()[at]
    return shift + apart - jax.lax.stop_gradient(apart)


def _angles(x, name: str) -> Float[Array, " n"]:
    """Angles [n], from [n] or from unit vectors [n, 2]."""
    if jnp.ndim(x) == 2 and jnp.shape(x)[1] == 2:
        x = Sphere(2).check(x, name)
        return jnp.arctan2(x[:, 1], x[:, 0])
    return on_line(check_finite(x, name), name)
