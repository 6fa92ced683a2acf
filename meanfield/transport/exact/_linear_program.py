"""Linear programs of transport on the host: solved, refined, and held against their duals."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ._assignment import ENOUGH, relative_gap
from ._few_pairs import few_pairs
from ._nearly import reduced
from ._network_simplex import Basis, network_simplex, refined

_ROUNDS = 5
"""Linear programs at most, each of which resolves costs a million times smaller than the last."""
_FINER = 1e-6
_MANY = 200
"""Points on both sides from which on few pairs are looked at before all."""
_UNIT = 1e-5
"""Of the mass, in searches: between what they leave out, and what they take for rounding."""
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
    b = b * (math.fsum(a) / math.fsum(b))
    f, g, left = reduced(cost, np.zeros(cost.shape[1]))
    scale, best = left.max() or 1.0, None
    for step in range(1, _ROUNDS + 1):
        inner = left / scale
        found = _solved(np.minimum(inner, 1, out=inner), a, b, first=step == 1)
        if found is None:
            break
        found = found._replace(f=scale * found.f, g=scale * found.g)
        mean = found.mass @ cost[*found.at] / found.mass.sum()
        exact = refined(found, left, a, b, unit, 0.1 * ENOUGH * abs(mean))
        # Prices of the basis are exact where it is that of all costs, and nothing where it is not.
        for more in ((exact.f, exact.g), (found.f, found.g)):
            rest, low = _feasible(left, *more)
            excess = exact.mass @ rest[*exact.at] + exact.off * cost.max()
            gap = relative_gap(
                excess, exact.mass @ cost[*exact.at], np.einsum("i,ij->j", a, cost) @ b
            )
            if best is None or gap < best.gap:
                best = Found(exact.at, exact.mass, f + more[0] + low, g + more[1], step, gap)
            if gap <= ENOUGH:
                return best
        left, f, g = rest, f + found.f + low, g + found.g
        scale = scale * _FINER
    return best


def _solved(cost: Costs, a, b, first: bool = True) -> Basis | None:
    """The least plan, of many points sought among few pairs first."""
    found, unit = None, _UNIT * a.sum()
    a, b = a / unit, b / unit
    if first and min(cost.shape) >= _MANY:
        found = few_pairs(cost, a, b)
    if found is None:
        found = network_simplex(cost, a, b)
    return found and found._replace(mass=unit * found.mass, off=unit * found.off)


def _feasible(left: Costs, f, g):
    """What prices leave of costs, nowhere below 0, and by how much they fall for that."""
    # The sum of the two first: where they are large and opposite it is exact.
    rest = np.add.outer(f, g)
    np.subtract(left, rest, out=rest)
    low = np.minimum(rest.min(axis=1), 0)
    rest -= low[:, None]
    return rest, low
