from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from ..._checks import check_finite, is_concrete
from ..._door import door
from ..._typing import Scalar
from ..costs import Coupling, power_mean, weights_or_uniform

_PACKED = 100_000
"""Numbers at most that leave too few pairs out of order to matter: n^3/2^54 are expected."""


@door
def wasserstein_line(
    x: ArrayLike,
    y: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    p: Scalar | float = 2.0,
) -> Scalar:
    """The Wasserstein distance W_p between two weighted clouds on the line, exact, in n log n time.

        W_p^p = int_0^1 |F^{-1}(u) - G^{-1}(u)|^p du,    F^{-1}, G^{-1} the quantile functions

    x [n] or [n, 1] and y [m] or [m, 1], weights a, b (uniform by default), p >= 1. Differentiable in
    points and weights wherever the distance is, and 0 is taken as the derivative of the root at 0.

    Raises ValueError for p < 1, half precision, and shapes and weights that do not fit; weights that are
    known only once a jitted function runs give NaN where they do not.

    Source: Peyre and Cuturi, Computational Optimal Transport (2019), arXiv 1803.00567, remark 2.30.
    """
    x, y, p = on_line(x, "x"), on_line(y, "y"), check_power(p)
    a, b = check_pair(x, y, a, b)
    plan = line_coupling(x, y, a, b)
    return power_mean(plan.mass, jnp.abs(x[plan.rows] - y[plan.columns]), p)


@eqx.filter_jit
def line_coupling(x: Float[Array, " n"], y: Float[Array, " m"], a, b) -> Coupling:
    """The monotone coupling, optimal for every convex cost of the difference."""
    n, m = x.size, y.size
    first, second = ascending(x), ascending(y)
    if a is None and b is None and n == m:
        return Coupling(first, second, jnp.full(n, 1 / n, x.dtype), (n, n))
    above = cumulated((jnp.full(n, 1 / n, x.dtype) if a is None else a)[first])
    below = cumulated((jnp.full(m, 1 / m, y.dtype) if b is None else b)[second])
    middle, mass = intervals(jnp.concatenate([above, below]))
    return Coupling(first[quantile(above, middle)], second[quantile(below, middle)], mass, (n, m))


def ascending(x: Float[Array, " n"]) -> Int[Array, " n"]:
    """`jnp.argsort(x)`, several times sooner for up to 1e5 numbers of double precision.

    XLA sorts integers alone quickly: the numbers as integers, their last bits replaced by the index.
    Numbers that differ in these alone, rare among so many, may come out of order; then argsort itself.
    """
    n, x = x.size, jax.lax.stop_gradient(x)
    if x.dtype != jnp.float64 or not 1 < n <= _PACKED:
        return jnp.argsort(x)
    bits = jax.lax.bitcast_convert_type(x, jnp.int64)
    # Of negative numbers the larger integer is the smaller one, but for the sign.
    keys = bits ^ ((bits >> 63) & jnp.iinfo(jnp.int64).max)
    tail = (1 << n.bit_length()) - 1
    order = jax.lax.sort((keys & ~tail) | jax.lax.iota(jnp.int64, n)) & tail
    ordered = x[order]
    right = (ordered[:-1] <= ordered[1:]).all()
    return jax.lax.cond(right, lambda: order, lambda: jnp.argsort(x))


def cumulated(w: Float[Array, " n"]) -> Float[Array, " n"]:
    """The distribution function after each point, 1 at the last one without rounding."""
    total = jnp.cumsum(w)
    return total / total[-1]


def intervals(cuts: Float[Array, " k"]) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """The middles and lengths of the parts into which `cuts`, the largest being 1, divide [0, 1].

    Slivers between cuts that rounding alone has parted get the length 0: they may join the wrong
    points, and the root of their cost would be of the order 1e-8.
    """
    cuts = jnp.sort(cuts)
    low = jnp.concatenate([jnp.zeros(1, cuts.dtype), cuts[:-1]])
    sliver = min(4 * float(jnp.finfo(cuts.dtype).eps), 0.01 / cuts.size)
    length = cuts - low
    return jax.lax.stop_gradient((low + cuts) / 2), jnp.where(length <= sliver, 0, length)


def quantile(above: Float[Array, " n"], u: Float[Array, " k"]):
    """The index of the sorted point at level u in (0, 1)."""
    return jnp.minimum(jnp.searchsorted(above, u), above.size - 1)


def on_line(x, name: str) -> Float[Array, " n"]:
    """`x` as finite numbers [n], from [n] or [n, 1]."""
    x = check_finite(x, name)
    x = x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x
    if x.ndim != 1:
        raise ValueError(
            f"expected {name} of shape [n] or [n, 1], got {list(x.shape)}; "
            "use wasserstein for clouds in more dimensions."
        )
    return x


def check_pair(x: Float[Array, " n"], y: Float[Array, " m"], a, b) -> tuple[Any, Any]:
    """The weights of two clouds of one dtype, checked before what is jitted sees them."""
    if x.dtype != y.dtype:
        raise ValueError(
            f"expected x and y of one dtype, got {x.dtype} and {y.dtype}; cast one with .astype."
        )
    a = None if a is None else weights_or_uniform(a, x.size, x.dtype, "a")
    return a, None if b is None else weights_or_uniform(b, y.size, y.dtype, "b")


def check_power(p) -> float:
    """`p` as a number that is at least 1 and known."""
    if not is_concrete(p) or not 1 <= p < float("inf"):
        raise ValueError(f"expected a finite power p >= 1, got {p!r}; pass p=2.0.")
    return float(p)
