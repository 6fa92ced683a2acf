"""One minimizing movement in quantiles: a problem in increasing positions, solved by Newton's method."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._products import weighted_sum
from .._typing import Scalar
from ..energies import (
    AbstractEnergy,
    AbstractQuantiles,
    Circle,
    Entropy,
    InternalEnergy,
    Potential,
    terms,
)
from ._hessian import coupled, local
from ._newton import Linear, descend

Row = Float[Array, " n"]


class Movement(NamedTuple):
    """What a movement reports: Newton steps, the largest force left, and whether they came to an end."""

    iterations: Int[Array, ""]
    residual: Scalar
    converged: Bool[Array, ""]


def move(
    energy: AbstractEnergy, domain: AbstractQuantiles, center: Row, start: Row, tau: Scalar
) -> tuple[Row, Movement]:
    """argmin_X E(X) + sum_i w_i (X_i - center_i)^2/(2 tau) over increasing X, from `start`.

    The Hessian is tridiagonal, with corners on the circle, if all parts of the energy are potentials
    or internal energies; it is found by four products with it (up to six on the circle), and each
    step costs O(N). Interactions make it dense: then conjugate gradients, preconditioned by the band,
    solve for a step in some products of cost O(N^2). Where it is not positive, one that is takes its
    place, so that each direction leads down: a problem without convexity ends at a minimizer too, one
    that need not be the least of all. See `descend` for the end.

    The derivative is that of the implicit function theorem. `center` need not increase.
    """
    masses = jnp.asarray(domain.masses(center.shape[0]), center.dtype)
    parts = [part for _, part in terms(energy)]
    walls = any(isinstance(part, Entropy | InternalEnergy) for part in parts)
    banded = all(isinstance(part, Potential | Entropy | InternalEnergy) for part in parts)
    make, cyclic = local if banded else coupled, isinstance(domain, Circle)
    solve, tangent_solve = make(center.shape[0], cyclic, masses / tau)

    def value(x: Row) -> Scalar:
        return energy.on_quantiles(domain, x) + weighted_sum(masses, (x - center) ** 2) / (2 * tau)

    def minimize(force: Linear, x: Row) -> tuple[Row, tuple[Scalar, Scalar]]:
        return descend(value, force, solve, domain.gaps, tau / masses, x, walls)

    start, force = jax.lax.stop_gradient(start), jax.grad(value)
    x, (count, ended) = jax.lax.custom_root(force, start, minimize, tangent_solve, has_aux=True)
    residual = jnp.abs(force(x) * tau / masses).max()
    return x, Movement(count.astype(int), residual, ended > 0)
