import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_integer, check_known, tolerance
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Points, Scalar, Weights
from ...energies import AbstractEnergy
from ...geometry import Sphere
from ...solve import SolveError
from ...transport.costs import weights_or_uniform
from ._hessian import chart, curvature, frames, moved
from ._rotations import rotated, symmetries

_FARTHEST = 0.2
"""The longest step, in the metric of weights."""


class CriticalPoint(AbstractShown):
    """A stationary cloud of an energy on the sphere.

    `x` [n, d]; its `energy`; `index`: the number of directions in which the energy falls; `rates`
    [n(d-1)]: the growth rates of perturbations under `GradientFlow`, descending, of which the first
    `index` are positive; `orbit`: the dimension of its rotations, whose rates are 0; `residual`: the
    speed that is left; `steps`; `converged`: whether that is rounding, the index is the one that was
    asked for, and no direction but the rotations is flat.
    """

    x: Points
    energy: Scalar
    index: Int[Array, ""]
    rates: Float[Array, " m"]
    orbit: Int[Array, ""]
    residual: Scalar
    steps: Int[Array, ""]
    converged: Bool[Array, ""]


@door
def saddle(
    energy: AbstractEnergy,
    x0: Points,
    index: int,
    w: Weights | None = None,
    *,
    max_steps: int = 300,
    throw: bool = True,
) -> CriticalPoint:
    """A stationary cloud of given Morse index, by index-k saddle dynamics.

        x' = -(I - 2 sum_{j <= k} v_j v_j^T) grad E,    v_1 .. v_k the lowest eigenvectors of the Hessian

    in the metric sum_i w_i |v_i|^2, of which saddles of this `index` are stable states. Each component is
    moved by its slope over |its curvature|, at most by .2 in all, so that the last steps are Newton's on
    the quotient by rotations, which cost no step. An index of 0 finds a minimum.

    Attention ascends its interaction energy: pass `-Interaction(beta)`. Dense: n(d-1) up to about 3000.
    `max_steps` bounds the steps, some tens of which are usual.

    Raises ValueError for points off the sphere, an index beyond n(d-1), tokens of no mass, and under
    jit; SolveError if no such saddle was found, unless `throw=False`: read `converged` then.
    Source: Yin, Zhang, Zhang, SIAM J. Sci. Comput. 41 (2019) A3576, doi 10.1137/19M1253356; Cerjan and
    Miller, J. Chem. Phys. 75 (1981) 2800, for the steps.
    """
    x0, w, index = _checked(energy, x0, w, index)
    max_steps = check_integer(max_steps, "max_steps")
    algebra = symmetries(energy, len(x0), x0.shape[1], w).astype(x0.dtype)
    found = search(energy, x0, w, algebra, jnp.asarray(index), max_steps)
    if throw and not bool(found.converged):
        raise SolveError(
            f"No saddle of index {index} was found near the start: the last cloud has index "
            f"{int(found.index)} and a speed of {float(found.residual):.1e}; start elsewhere."
        )
    return found


def _checked(energy: AbstractEnergy, x0: Points, w: Weights | None, index: int):
    x0 = Sphere(x0.shape[1]).check(x0)
    check_known((energy, x0, w), "a cloud", "call saddle outside of jax.jit")
    size = x0.size - len(x0)
    index = check_integer(index, "index", 0)
    if index > size:
        raise ValueError(
            f"expected an index of at most n(d-1) = {size}, got {index}; there are no more directions."
        )
    w = weights_or_uniform(w, len(x0), x0.dtype, "w")
    if bool((w == 0).any()):
        raise ValueError("expected w > 0, got a token of no mass; leave it out.")
    return x0, w, index


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
        move *= jnp.minimum(1, _FARTHEST / jnp.maximum(jnp.linalg.norm(move), small))
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
