"""Linear programs of transport on the host: solved, refined, and held against their duals."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ._assignment import ENOUGH, relative_gap
from ._network_simplex import network_simplex, refined

_ROUNDS = 5
"""Linear programs at most, each of which resolves costs a million times smaller than the last."""
_FINER = 1e-6
Costs = Float[np.ndarray, "n m"]


class Found(NamedTuple):
    """Pairs `at` [2, k], masses, dual potentials, programs solved, and the gap relative to the cost."""

    at: Int[np.ndarray, "2 k"]
    mass: Float[np.ndarray, " k"]
    f: Float[np.ndarray, " n"]
    g: Float[np.ndarray, " m"]
    steps: int
    gap: float


def least_plan(cost: Costs, a, b, unit: float) -> Found | None:
    """A vertex of least cost for positive masses a, b that are known to `unit` of themselves; or None.

    Where their sums differ it is that of b times a factor, which makes them equal.

    The basis of a network simplex says masses and prices exactly. Where its prices are not yet those of
    all pairs, as where two points are 1e6 times farther than others move, what is left of the costs,
    c - f - g, is solved for again in finer units: dearer pairs cost just one of these, and the dual
    solution stays feasible.

    Source: Gleixner, Steffy and Wolter, INFORMS J. Comput. 28 (2016), doi:10.1287/ijoc.2016.0692, for
    this refinement.
    """
    b = b * (a.sum() / b.sum())
    f, g = cost.min(axis=1), (cost - cost.min(axis=1)[:, None]).min(axis=0)
    left = cost - f[:, None] - g
    scale, best = left.max() or 1.0, None
    for step in range(1, _ROUNDS + 1):
        found = network_simplex(np.minimum(left, scale) / scale, a, b)
        if found is None:
            break
        found = found._replace(f=scale * found.f, g=scale * found.g)
        exact = refined(found, left, a, b, unit)
        # Prices of the basis are exact where it is that of all costs, and nothing where it is not.
        for more in ((exact.f, exact.g), (found.f, found.g)):
            rest, low = _feasible(left, *more)
            excess = exact.mass @ rest[*exact.at] + exact.off * rest.max()
            gap = relative_gap(excess, exact.mass @ cost[*exact.at], a @ cost @ b)
            if best is None or gap < best.gap:
                best = Found(exact.at, exact.mass, f + more[0] + low, g + more[1], step, gap)
            if gap <= ENOUGH:
                return best
        left, f, g = rest, f + found.f + low, g + found.g
        scale = scale * _FINER
    return best


def _feasible(left: Costs, f, g):
    """What prices leave of costs, nowhere below 0, and by how much they fall for that."""
    # The sum of the two first: where they are large and opposite it is exact.
    rest = left - (f[:, None] + g)
    low = np.minimum(rest.min(axis=1), 0)
    return rest - low[:, None], low
