"""Orbits of steepest descent between stationary clouds, past saddles as near as they come."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._typing import Points, Scalar, Weights
from ...energies import AbstractEnergy
from ._hessian import frames, moved
from ._search import CriticalPoint, curved, roots, search

_FARTHEST = 0.03
"""The longest step, in the metric of weights."""
_GROWTH = 30.0
"""By how much a step may let grow what falls: rounding off the orbit must stay below its speed."""
_STILL = 1e-6
"""The speed, relative to the largest rate, at which an orbit has arrived."""
_NEAR = 0.01
"""How far from where it arrives the stationary cloud may be."""

_Projection = Float[Array, "n d n d"]


class Descent(eqx.Module):
    """Where an orbit of steepest descent ends: whether it does, and the stationary cloud that is there."""

    end: CriticalPoint
    arrived: Bool[Array, ""]


def descent(
    energy: AbstractEnergy,
    x: Points,
    fixed: _Projection,
    algebra: Float[Array, "s d d"],
    max_steps: int,
) -> Descent:
    """The orbit x' = -grad E, in the metric of weights, of equal tokens, through x.

        x <- x - phi(h H) h grad E,    phi(z) = (1 - e^{-z})/z

    with H the Hessian: exact where the energy is quadratic, so that a step h may be as long as an orbit
    lingers. It is the longest that moves the cloud by .03. `fixed` projects to clouds with a symmetry,
    which steepest descent keeps, but rounding does not.

    Source: Hochbruck, Ostermann, Acta Numerica 19 (2010) 209, doi 10.1017/S0962492910000048, for the step.
    """
    w = jnp.full(len(x), 1 / len(x), x.dtype)

    def step(carry):
        x, count, gone, _ = carry
        bases = frames(x)
        move, slope, scale = _step(energy, x, w, bases, fixed, algebra)
        done = (jnp.linalg.norm(slope) <= _STILL * scale) & (gone > _FARTHEST)
        after = moved(x, bases, move / roots(w, x))
        after = _symmetric(after, fixed)
        return jnp.where(done, x, after), count + 1, gone + jnp.linalg.norm(move), done

    go_on = lambda carry: ~carry[3] & (carry[1] < max_steps)
    zero = jnp.zeros((), x.dtype)
    start = _symmetric(x, fixed), jnp.zeros((), int), zero, jnp.asarray(False)
    x, _, _, done = jax.lax.while_loop(go_on, step, start)
    _, matrix, stiff = curved(energy, x, w, frames(x), algebra)
    end = search(energy, x, w, algebra, (jnp.linalg.eigvalsh(matrix + stiff) < 0).sum(), 20)
    apart = jnp.sqrt(jnp.mean(jnp.sum((end.x - x) ** 2, axis=1)))
    return Descent(end, done & end.converged & (apart <= _NEAR))


def _symmetric(x: Points, fixed: _Projection) -> Points:
    x = jnp.einsum("ndme,me->nd", fixed, x, precision="highest")
    return x / jnp.linalg.norm(x, axis=1, keepdims=True)


def _step(energy, x: Points, w: Weights, bases, fixed: _Projection, algebra):
    """The step, the slope, and the largest curvature, among clouds with the symmetry."""
    slope, matrix, stiff = curved(energy, x, w, bases, algebra)
    inner = jnp.einsum("ndu,ndme,mev->numv", bases, fixed, bases, precision="highest")
    inner = inner.reshape(slope.size, slope.size)
    slope, matrix = inner @ slope, inner @ (matrix + stiff) @ inner
    scale = jnp.abs(matrix).max()
    # Across the symmetry nothing moves, as long as nothing there seems to fall.
    values, vectors = jnp.linalg.eigh(matrix + scale * (jnp.eye(len(inner)) - inner))
    parts = vectors.T @ slope
    return -vectors @ (_times(values, parts, scale) * parts), slope, scale


def _times(values: Float[Array, " m"], parts: Float[Array, " m"], scale: Scalar):
    """phi(h l) h for the longest h that moves and grows by no more than it may."""
    times = jnp.geomspace(1e-4, 1e9, 261, dtype=values.dtype)[:, None] / scale
    most = jnp.log(jnp.asarray(_GROWTH, values.dtype))
    exponents = values * times
    small = jnp.abs(exponents) < 1e-12
    spans = -jnp.expm1(-jnp.maximum(exponents, -most)) / jnp.where(small, 1, values)
    spans = jnp.where(small, times, spans)
    allowed = (exponents.min(axis=1) >= -most) & (
        jnp.linalg.norm(spans * parts, axis=1) <= _FARTHEST
    )
    return spans[jnp.maximum(jnp.sum(allowed) - 1, 0)]
