import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..._checks import check_finite
from ..._door import door
from ..._typing import Scalar
from ...geometry import Sphere
from ..costs import Coupling, power_mean
from ._line import check_pair, check_power, cumulated, intervals, on_line, quantile

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
    first, second = jnp.argsort(x), jnp.argsort(y)
    above = cumulated((jnp.full(x.size, 1 / x.size, x.dtype) if a is None else a)[first])
    below = cumulated((jnp.full(y.size, 1 / y.size, y.dtype) if b is None else b)[second])
    fixed = jax.lax.stop_gradient((x[first], y[second], above, below))
    shift = _tied(_best_shift(*fixed, p), above, below)
    middle, mass = intervals(jnp.concatenate([above, jnp.mod(below + shift, 1)]))
    rows = first[quantile(above, middle)]
    columns = second[quantile(below, jnp.mod(middle - shift, 1))]
    return Coupling(rows, columns, mass, (x.size, y.size))


def _best_shift(x, y, above, below, p: float) -> Scalar:
    """The minimum of the convex integral over s. All displacements have one sign beyond s = +-1.

    A level of the second law that moves up by ds at u hands the mass ds at F^{-1}(u) from the next
    point of y to the one before.
    """
    after = jnp.concatenate([y[1:], y[:1] + TURN])

    def halve(_, bracket):
        low, high = bracket
        middle = (low + high) / 2
        turns, level = jnp.divmod(below + middle, 1)
        at = x[quantile(above, level)] + TURN * turns
        rising = jnp.sum(jnp.abs(at - y) ** p - jnp.abs(at - after) ** p) > 0
        return jnp.where(rising, low, middle), jnp.where(rising, middle, high)

    one = jnp.ones((), x.dtype)
    steps = 2 - int(math.log2(jnp.finfo(x.dtype).eps))  # down to the rounding of levels
    low, high = jax.lax.fori_loop(0, steps, halve, (-one, one))
    return (low + high) / 2


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
