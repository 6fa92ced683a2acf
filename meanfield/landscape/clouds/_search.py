"""Steps from a cloud to a stationary one of given index, with the whole Hessian."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._checks import tolerance
from ..._shown import AbstractShown
from ..._typing import Points, Scalar, Weights
from ...energies import AbstractEnergy
from ._hessian import chart, curvature, frames, moved
from ._symmetries import rotated

FARTHEST = 0.2
"""The longest step, in the metric of weights."""


class CriticalPoint(AbstractShown):
    """A stationary cloud of an energy on the sphere.

    `x` [n, d]; its `energy`; `index`: the number of directions in which the energy falls; `rates`
    [n(d-1)], or as many as were asked for: the growth rates of perturbations under `GradientFlow`,
    descending, of which the first `index` are positive; `orbit`: the dimension of its rotations, whose
    rates are 0; `residual`: the speed that is left; `steps`; `converged`: whether that is rounding, the
    index is the one that was asked for, and no direction but the rotations is flat.
    """

    x: Points
    energy: Scalar
    index: Int[Array, ""]
    rates: Float[Array, " m"]
    orbit: Int[Array, ""]
    residual: Scalar
    steps: Int[Array, ""]
    converged: Bool[Array, ""]


@eqx.filter_jit
def search(
    energy: AbstractEnergy,
    x: Points,
    w: Weights,
    algebra: Float[Array, "s d d"],
    index: Int[Array, ""],
    max_steps: int,
) -> CriticalPoint:
    """Steps from x until what is left of the speed is rounding."""
    small = 32 * jnp.finfo(x.dtype).eps

    def step(carry):
        x, count, _ = carry
        bases = frames(x)
        slope, _, values, vectors = _local(energy, x, w, bases, algebra)
        scale = jnp.abs(values).max()
        down = jnp.where(jnp.arange(values.size) < index, 1, -1).astype(x.dtype)
        curvatures = jnp.maximum(jnp.abs(values), small * scale)
        move = vectors @ (down * (vectors.T @ slope) / curvatures)
        move *= jnp.minimum(1, FARTHEST / jnp.maximum(jnp.linalg.norm(move), small))
        done = jnp.linalg.norm(slope) <= small * scale
        after = moved(x, bases, move / roots(w, x))
        return jnp.where(done, x, after), count + 1, done

    go_on = lambda carry: ~carry[2] & (carry[1] < max_steps)
    start = x, jnp.zeros((), int), jnp.asarray(False)
    x, steps, done = jax.lax.while_loop(go_on, step, start)
    return _told(energy, x, w, algebra, index, steps, done)


def _told(energy, x, w, algebra, index, steps, done) -> CriticalPoint:
    slope, rates, values, _ = _local(energy, x, w, frames(x), algebra)
    zero = tolerance(x.dtype) * jnp.abs(rates).max()
    falling, flat = (values < -zero).sum(), (jnp.abs(values) <= zero).sum()
    orbit = (jnp.abs(rates) <= zero).sum() - flat
    converged = done & (falling == index) & (flat == 0)
    return CriticalPoint(
        x, energy(x, w), falling, rates, orbit, jnp.linalg.norm(slope), steps, converged
    )


def _local(energy, x, w, bases, algebra):
    """Slope, rates, and the eigenvalues and vectors of the Hessian, rotations stiffened."""
    slope, matrix, stiff = curved(energy, x, w, bases, algebra)
    values, vectors = jnp.linalg.eigh(matrix + stiff)
    return slope, -jnp.linalg.eigvalsh(matrix), values, vectors


def curved(energy: AbstractEnergy, x: Points, w: Weights, bases, algebra):
    """Slope and Hessian in the metric of weights, and what stiffens rotations.

    Along these the Hessian of a stationary cloud vanishes: it is by as much as they move the cloud.
    """
    value, root = chart(energy, x, w, bases), roots(w, x)
    slope = jax.grad(value)(jnp.zeros(root.size, x.dtype)) / root
    matrix = curvature(value, root.size, x.dtype) / root[:, None] / root
    turns = jnp.einsum("ndm,snd->snm", bases, rotated(x, algebra), precision="highest")
    turns = turns.reshape(len(algebra), root.size) * root
    return slope, matrix, jnp.abs(matrix).max() * (turns.T @ turns)


def roots(w: Weights, x: Points) -> Float[Array, " m"]:
    """The square root of its token's mass, for each coordinate of the tangent spaces."""
    return jnp.repeat(jnp.sqrt(w), x.shape[1] - 1)
