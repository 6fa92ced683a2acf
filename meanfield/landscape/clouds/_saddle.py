import jax.numpy as jnp

from ..._checks import check_integer, check_known, tolerance
from ..._door import door
from ..._typing import Points, Weights
from ...energies import AbstractEnergy
from ...geometry import Sphere
from ...solve import SolveError
from ...transport.costs import weights_or_uniform
from ._few_modes import search_few
from ._search import CriticalPoint, search
from ._symmetries import symmetries


@door
def saddle(
    energy: AbstractEnergy,
    x0: Points,
    index: int,
    w: Weights | None = None,
    *,
    count: int | None = None,
    max_steps: int = 300,
    throw: bool = True,
) -> CriticalPoint:
    """A stationary cloud of given Morse index, by index-k saddle dynamics.

        x' = -(I - 2 sum_{j <= k} v_j v_j^T) grad E,    v_1 .. v_k the lowest eigenvectors of the Hessian

    in the metric sum_i w_i |v_i|^2, of which saddles of this `index` are stable states. Each component is
    moved by its slope over |its curvature|, far from rest by less, so that the last steps are Newton's on
    the quotient by rotations, which cost no step. An index of 0 finds a minimum.

    Attention ascends its interaction energy: pass `-Interaction(beta)`. `max_steps` bounds the steps, some
    tens of which are usual.

    - `count`: how many rates, None for all n(d-1), from the Hessian, which is dense: for up to about 3000.
      Else from products with it alone, by LOBPCG, and what lies across these modes by Krylov steps. It
      must exceed the index and the rotations, so that a rate below 0 is seen, and be below n(d-1)/5.

    Raises ValueError for points off the sphere, an index beyond n(d-1), or `count`, tokens of no mass, and
    under jit; SolveError if no such saddle was found, unless `throw=False`: read `converged` then.
    Source: Yin, Zhang, Zhang, SIAM J. Sci. Comput. 41 (2019) A3576, doi 10.1137/19M1253356; Cerjan and
    Miller, J. Chem. Phys. 75 (1981) 2800, for the steps; Knyazev, SIAM J. Sci. Comput. 23 (2001) 517,
    doi 10.1137/S1064827500366124, for LOBPCG.
    """
    x0, w, index = _checked(energy, x0, w, index)
    max_steps = check_integer(max_steps, "max_steps")
    algebra = symmetries(energy, len(x0), x0.shape[1], w).astype(x0.dtype)
    if count is None:
        found = search(energy, x0, w, algebra, jnp.asarray(index), max_steps)
    else:
        count = check_count(count, index + 1, x0.size - len(x0))
        found = search_few(energy, x0, w, algebra, jnp.asarray(index), count, max_steps)
    if throw and not bool(found.converged):
        least = -tolerance(x0.dtype) * float(jnp.abs(found.rates).max())
        few = count is not None and float(found.rates[-1]) >= least
        raise SolveError(
            f"No saddle of index {index} was found near the start: the last cloud has index "
            f"{int(found.index)} and a speed of {float(found.residual):.1e}; "
            + ("raise count, or start elsewhere." if few else "start elsewhere.")
        )
    return found


def check_count(count: int, least: int, size: int) -> int:
    """How many of `size` rates, if LOBPCG can find as many."""
    count = check_integer(count, "count", least)
    if 5 * count >= size:
        raise ValueError(
            f"expected count < n(d-1)/5 = {size / 5:g}, got {count}; leave it out for all rates."
        )
    return count


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
