"""The search for a saddle from products with the Hessian alone: few modes, and Krylov steps."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.experimental.sparse.linalg import lobpcg_standard
from jaxtyping import Array, Bool, Float, Int

from ..._checks import tolerance
from ..._typing import Points, Scalar, Weights
from ...energies import AbstractEnergy
from ._hessian import chart, frames, moved
from ._search import FARTHEST, CriticalPoint, roots
from ._symmetries import rotated

_KRYLOV = 64
"""Products with the Hessian for a step: what they leave of it the next one does."""
_SIZED = 16
"""Products for the size of the Hessian, which need not be exact."""
_ITERATIONS = 400
"""Of LOBPCG, at most: where the modes are known from the step before a few are enough."""
_FOLLOWED = 1e-5
"""The error of the modes on the way, in units of the Hessian; rates are second order in it."""

_Vector = Float[Array, " m"]
_Product = Callable[[_Vector], _Vector]


@eqx.filter_jit
def search_few(
    energy: AbstractEnergy,
    x: Points,
    w: Weights,
    algebra: Float[Array, "s d d"],
    index: Int[Array, ""],
    count: int,
    max_steps: int,
) -> CriticalPoint:
    """The steps of `search`: along modes that follow the cloud, and across them by Lanczos' method."""
    eps = jnp.finfo(x.dtype).eps
    up = (jnp.arange(count) < index).astype(x.dtype)

    def step(found: _Found) -> _Found:
        x, steps, bases = found.x, found.steps + 1, frames(found.x)
        slope, product, scale = _local(energy, x, w, bases)
        speed = jnp.linalg.norm(slope)
        last = (speed <= 32 * eps * scale) | (steps == max_steps)
        turns = jnp.where(last, 0, jnp.sqrt(scale)) * _turns(x, w, bases, algebra)
        stiff = lambda v: product(v) + turns.T @ (turns @ v)
        error = jnp.where(last, 64 * eps, _FOLLOWED).astype(x.dtype)
        values, modes = _lowest(stiff, scale, _inside(bases, found.modes), error)
        move = _step(stiff, slope, values, modes, up, 32 * eps * scale)
        after = jnp.where(last, x, moved(x, bases, move / roots(w, x)))
        return _Found(after, _outside(bases, modes), values, speed, scale, steps, last)

    random = jax.random.normal(jax.random.key(0), (*x.shape, count)).astype(x.dtype)
    zero = jnp.zeros((), x.dtype)
    start = _Found(x, random, jnp.zeros(count, x.dtype), zero, zero, jnp.asarray(0), zero > 0)
    found = jax.lax.while_loop(lambda found: ~found.last, step, start)
    return _told(energy, w, algebra, index, found)


class _Found(eqx.Module):
    """What a step knows of the cloud `x` from which it starts, and, but for the last, leaves."""

    x: Points
    modes: Float[Array, "n d k"]
    values: Float[Array, " k"]
    speed: Scalar
    scale: Scalar
    steps: Int[Array, ""]
    last: Bool[Array, ""]


def _told(energy, w, algebra, index, found: _Found) -> CriticalPoint:
    x, values, scale = found.x, found.values, found.scale
    zero = tolerance(x.dtype)
    turns = _turns(x, w, frames(x), algebra)
    sizes = (
        jnp.linalg.svd(turns, full_matrices=False, compute_uv=False)
        if len(turns)
        else jnp.zeros(1, x.dtype)
    )
    orbit = (sizes > zero**0.5).sum()
    falling, flat = (values < -zero * scale).sum(), (jnp.abs(values) <= zero * scale).sum()
    # One mode that rises must be among those found: else more may fall than were seen.
    whole = values[-1] > zero * scale
    still = found.speed <= 32 * jnp.finfo(x.dtype).eps * scale
    converged = still & whole & (falling == index) & (flat == orbit)
    return CriticalPoint(
        x, energy(x, w), falling, -values, orbit, found.speed, found.steps, converged
    )


def _step(stiff: _Product, slope, values, modes, up, least: Scalar) -> _Vector:
    """Slope over |curvature|, up along the modes that are marked and down across them."""
    parts, across = up * (modes.T @ slope), lambda v: v - modes @ (up * (modes.T @ v))
    rise = modes @ (parts / jnp.maximum(jnp.abs(values), least))
    move = rise - across(_over_size(lambda v: across(stiff(v)), across(slope), least))
    return move * jnp.minimum(1, FARTHEST / jnp.maximum(jnp.linalg.norm(move), least))


def _local(energy: AbstractEnergy, x: Points, w: Weights, bases: Float[Array, "n d t"]):
    """Slope, products with the Hessian, and its size, in the metric of weights."""
    root = roots(w, x)
    slope, along = jax.linearize(jax.grad(chart(energy, x, w, bases)), jnp.zeros_like(root))
    product = lambda v: along(v / root) / root
    noise = jax.random.normal(jax.random.key(1), root.shape).astype(x.dtype)
    scale = jnp.abs(jnp.linalg.eigvalsh(_tridiagonal(product, noise, _SIZED)[1])).max()
    return slope / root, product, scale


def _turns(x: Points, w: Weights, bases, algebra: Float[Array, "s d d"]) -> Float[Array, "s m"]:
    """The directions of rotations, with their speeds."""
    turns = jnp.einsum("ndm,snd->snm", bases, rotated(x, algebra), precision="highest")
    return turns.reshape(len(algebra), -1) * roots(w, x)


def _lowest(product: _Product, scale: Scalar, start: Float[Array, "m k"], error: Scalar):
    """The lowest eigenvalues [k], ascending, and their vectors [m, k], by LOBPCG."""
    # It finds the largest, of a positive matrix: its residuals are relative to 20 m eigenvalues of this.
    turned = lambda columns: jax.lax.map(lambda v: 2 * scale * v - product(v), columns.T).T
    values, vectors, _ = lobpcg_standard(turned, start, _ITERATIONS, error / (40 * len(start)))
    return 2 * scale - values, vectors


def _over_size(product: _Product, v: _Vector, least: Scalar) -> _Vector:
    """|H|^{-1} v, with sizes below `least` raised to it: in the Krylov space of v."""
    basis, matrix = _tridiagonal(product, v, min(_KRYLOV, v.size))
    values, vectors = jnp.linalg.eigh(matrix)
    parts = vectors[0] / jnp.maximum(jnp.abs(values), least)
    return jnp.linalg.norm(v) * (basis.T @ (vectors @ parts))


def _tridiagonal(product: _Product, v: _Vector, steps: int):
    """Lanczos' basis [steps, m] and matrix, orthogonalized twice; no more where the space ends."""
    tiny = jnp.finfo(v.dtype).tiny ** 0.5
    unit = lambda v: v / jnp.maximum(jnp.linalg.norm(v), tiny)

    def step(basis, k):
        image = product(basis[k])
        rest = image - basis.T @ (basis @ image)
        rest = rest - basis.T @ (basis @ rest)
        ended = jnp.linalg.norm(rest) <= 64 * jnp.finfo(v.dtype).eps * jnp.linalg.norm(image)
        after = jnp.where(ended, 0, unit(rest))
        return basis.at[k + 1].set(after, mode="drop"), image

    basis = jnp.zeros((steps, v.size), v.dtype).at[0].set(unit(v))
    basis, images = jax.lax.scan(step, basis, jnp.arange(steps))
    matrix = basis @ images.T
    return basis, (matrix + matrix.T) / 2


def _inside(bases: Float[Array, "n d t"], modes: Float[Array, "n d k"]) -> Float[Array, "m k"]:
    """Ambient directions in the coordinates of the frames."""
    inside = jnp.einsum("ndt,ndk->ntk", bases, modes, precision="highest")
    return inside.reshape(-1, modes.shape[2])


def _outside(bases: Float[Array, "n d t"], modes: Float[Array, "m k"]) -> Float[Array, "n d k"]:
    parts = modes.reshape(len(bases), bases.shape[2], -1)
    return jnp.einsum("ndt,ntk->ndk", bases, parts, precision="highest")
