import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._shown import AbstractShown
from .._typing import Points, Scalar
from ..geometry import Euclidean
from ._cloud_checks import cloud, known


class Hemisphere(AbstractShown):
    """Whether a cloud lies in an open hemisphere {x: <direction, x> > 0}.

    `margin` is the largest min_i <u, x_i> over unit vectors u and `direction` [d] the u that attains
    it; both are 0 if no open hemisphere holds the cloud. `converged` is false if the iterations ran
    out first: then a true `inside` still stands, since the direction proves it, and a false one
    decides nothing.
    """

    inside: Bool[Array, ""]
    margin: Scalar
    direction: Float[Array, " d"]
    converged: Bool[Array, ""]


def hemisphere(x: Points) -> Hemisphere:
    """The best open hemisphere about a cloud: its tokens then cluster to one point.

    The margin is the distance from 0 to the convex hull of the tokens, and the direction points to
    the nearest point of the hull, found by the minimum-norm-point algorithm: least squares over an
    active set that gains the lowest token and loses those of negative weight. It is exact after
    finitely many steps, typically a few times d, each O(n d + d^3). The margin is differentiable (envelope
    theorem), the direction counts as constant. Margins below 4 sqrt(eps) (6e-8 in
    float64, 1.4e-3 in float32) of the longest token cannot be told from 0 and count as 0.

    Source: Wolfe (1976), Finding the nearest point in a polytope, doi:10.1007/BF01580381.
    """
    x = cloud(x)
    length = _longest(jax.lax.stop_gradient(x))
    fixed = jax.lax.stop_gradient(x) / length
    hull = _nearest(fixed)
    nearest = fixed.T @ hull.weight
    norm = jnp.sqrt(nearest @ nearest)
    direction = nearest / jnp.where(norm > 0, norm, 1)
    least = jnp.min(fixed @ direction)
    inside = least > 4 * jnp.sqrt(jnp.finfo(x.dtype).eps).astype(x.dtype)
    direction = jnp.where(inside, direction, 0)
    # Nothing, but with the derivative <u, dx_i> of each token of the hull, by its weight.
    slope = hull.weight @ ((x - jax.lax.stop_gradient(x)) @ direction)
    return Hemisphere(
        inside,
        known(x, jnp.where(inside, length * least, 0) + slope),
        known(x, direction),
        hull.done & jnp.isfinite(least),
    )


@eqx.filter_jit
def _nearest(x: Points) -> "_Hull":
    return jax.lax.while_loop(_unfinished, lambda hull: _step(hull, x), _start(x))


def _longest(x: Points) -> Scalar:
    """The largest length of a token, or 1 if all are 0, whatever their scale."""
    most = Euclidean(x.shape[1]).distance(jnp.zeros_like(x), x).max()
    return jnp.where(most == 0, 1, most)


class _Hull(eqx.Module):
    """A point of the convex hull, as weights over an active set of tokens."""

    weight: Float[Array, " n"]
    active: Bool[Array, " n"]
    budget: Array
    done: Bool[Array, ""]


def _start(x: Points) -> _Hull:
    n, d = x.shape
    first = jnp.arange(n) == 0
    return _Hull(first.astype(x.dtype), first, jnp.array(20 * (d + 1)), jnp.array(False))


def _unfinished(hull: _Hull) -> Bool[Array, ""]:
    return ~hull.done & (hull.budget > 0)


def _step(hull: _Hull, x: Points) -> _Hull:
    target = _affine_minimizer(x, hull.active)
    feasible = (target > 0) | ~hull.active
    grow, shrink = _grow(target, hull, x), _shrink(target, hull)
    return jax.tree.map(lambda a, b: jnp.where(feasible.all(), a, b), grow, shrink)


def _affine_minimizer(x: Points, active: Bool[Array, " n"]) -> Float[Array, " n"]:
    """Weights of sum 1 on the active tokens whose mean is the point of their affine hull nearest 0."""
    n, d = x.shape
    # Affinely independent tokens are d + 1 at most, and one more has just been added.
    at = jnp.nonzero(active, size=min(n, d + 2), fill_value=n)[0]
    columns = x.at[at].get(mode="fill", fill_value=0).T
    # The extra row asks for a sum of 1; its shortfall is a common factor, which is then divided out.
    rows = jnp.concatenate([columns, (at < n).astype(x.dtype)[None]])
    weight = jnp.zeros(n, x.dtype).at[at].set(jnp.linalg.pinv(rows)[:, -1], mode="drop")
    return weight / weight.sum()


def _grow(target: Float[Array, " n"], hull: _Hull, x: Points) -> _Hull:
    """The target itself, with the lowest token made active; done if none is below the nearest point."""
    nearest = x.T @ target
    height = x @ nearest
    lowest = jnp.argmin(height)
    gain = nearest @ nearest - height[lowest]
    done = (gain <= 16 * jnp.finfo(x.dtype).eps) | hull.active[lowest]
    return _Hull(target, hull.active.at[lowest].set(True), hull.budget - 1, done)


def _shrink(target: Float[Array, " n"], hull: _Hull) -> _Hull:
    """The last feasible point on the way to the target, without the tokens whose weight vanishes."""
    falling = hull.active & (target <= 0)
    drop = jnp.where(falling, hull.weight - target, 1)
    share = jnp.where(falling & (drop > 0), hull.weight / jnp.where(drop > 0, drop, 1), jnp.inf)
    stop = jnp.where(falling.any(), jnp.minimum(share.min(), 1), 1)
    weight = jnp.maximum(hull.weight + stop * (target - hull.weight), 0)
    active = hull.active & (weight > 0) & (jnp.arange(weight.size) != jnp.argmin(share))
    weight = jnp.where(active, weight, 0)
    return _Hull(weight / weight.sum(), active, hull.budget - 1, hull.done)
