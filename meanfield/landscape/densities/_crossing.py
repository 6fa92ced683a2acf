import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...solve import SolveError
from .._precision import in_double
from ._branch import Branch
from ._curve import Curve, Point
from ._free_energy import excess_free_energy
from ._growth import strengths


class Crossing(AbstractShown):
    """The phase transition: the `noise` at which a clustered state becomes as good as the uniform one.

    `jump` is its mean resultant, 0 for a continuous transition, and `coeffs` [K+1] are its density.
    """

    noise: Scalar
    jump: Scalar
    coeffs: Float[Array, " k"]


@door
@in_double
def crossing(branch: Branch) -> Crossing:
    """The noise at which the free energies of the branch and of the uniform law cross.

    A first-order transition happens there, above the critical noise; a continuous one at the critical
    noise, with jump 0. Solved to 1e-10 in float64, whatever the spacing of the branch. On the circle with
    unnormalized attention 1/(2 noise) = .37609 at beta = 3, and .09399 at beta = 5 with a jump to .75.

    Raises ValueError for an attention without free energy (softmax), or a branch that ends too early.
    Source: arXiv 2604.16288 and 2606.05140 (noise K = 1/(2 noise)).
    """
    if not bool(jnp.isfinite(branch.free_energy).all()):
        raise ValueError(
            "expected the branch of an attention with a free energy; use Unnormalized, or read "
            "branch.noise and branch.order."
        )
    if not bool(branch.first_order):
        return Crossing(branch.critical, jnp.zeros_like(branch.critical), branch.coeffs[0])
    basis = branch.basis
    curve = Curve(branch.attention, basis, strengths(branch.attention, basis.d, basis.degree))
    point, found = _solve(curve, _guess(branch, curve))
    if not bool(found):
        raise SolveError("The crossing was not found: raise the degree of the branch.")
    return Crossing(curve.noise(point), point[0], curve.coeffs(point))


def _guess(branch: Branch, curve: Curve) -> Point:
    """Where the free energy, interpolated between two points of the branch, comes down to 0."""
    free = np.asarray(branch.free_energy)
    last = int(np.flatnonzero(free > 0)[-1])
    if last == free.size - 1:
        raise ValueError(
            "expected a branch on which the free energy comes down to that of the uniform law; "
            "follow it further, with a smaller until or a larger degree."
        )
    part = free[last] / (free[last] - free[last + 1])
    moments = branch.coeffs[last : last + 2, 1:] / curve.scale[1:]
    ends = jnp.column_stack([moments, branch.noise[last : last + 2] / branch.critical])
    return (1 - part) * ends[0] + part * ends[1]


@eqx.filter_jit
def _solve(curve: Curve, guess: Point) -> tuple[Point, Array]:
    def excess(point):
        coeffs, noise = curve.coeffs(point), curve.noise(point)
        return excess_free_energy(curve.basis, curve.strength, coeffs, noise) / curve.critical

    return curve.meet(excess, guess)
