"""Linear programs of transport on the host: solved, refined, and held against their duals."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from ._assignment import ENOUGH, relative_gap
from ._few_pairs import priced_program

_ROUNDS = 5
"""Linear programs at most, each of which resolves costs a million times smaller than the last."""
_FINER = 1e-6
Costs = Float[np.ndarray, "n m"]


class Found(NamedTuple):
    """Pairs `at` [2, k] and their masses, dual potentials, iterations, and the gap relative to the cost."""

    at: Int[np.ndarray, "2 k"]
    mass: Float[np.ndarray, " k"]
    f: Float[np.ndarray, " n"]
    g: Float[np.ndarray, " m"]
    steps: int
    gap: float


def least_plan(cost: Costs, a, b, unit: float) -> Found | None:
    """A vertex of least cost for positive masses a, b that are known to `unit` of themselves; or None.

    HiGHS holds reduced costs to 1e-10 of the largest cost, too little where two points are 1e6 times
    farther than others move. What is left of the costs, c - f - g, is therefore solved for again in
    finer units: dearer pairs cost just one of these, and the dual solution stays feasible.

    Source: Gleixner, Steffy and Wolter, INFORMS J. Comput. 28 (2016), doi:10.1287/ijoc.2016.0692, for
    this refinement; masses are then found along a spanning tree of the pairs in use, as in a network
    simplex: nothing rounds but sums of the masses themselves.
    """
    f, g = cost.min(axis=1), (cost - cost.min(axis=1)[:, None]).min(axis=0)
    left = cost - f[:, None] - g
    scale, steps, best = left.max() or 1.0, 0, None
    for _ in range(_ROUNDS):
        solved = priced_program(np.minimum(left, scale) / scale, a, b)
        if solved is None:
            break
        first, second = scale * solved.f, scale * solved.g
        # The sum of the two first: where they are large and opposite it is exact.
        left = left - (first[:, None] + second)
        low = np.minimum(left.min(axis=1), 0)
        left, f, g = left - low[:, None], f + first + low, g + second
        at, mass, off = _along_tree(solved.plan, left, a, b, unit)
        steps += solved.steps
        gap = relative_gap(mass @ left[*at] + off * left.max(), mass @ cost[*at], a @ cost @ b)
        if best is None or gap < best.gap:
            best = Found(at, mass, f, g, steps, gap)
        if gap <= ENOUGH:
            break
        scale = scale * _FINER
    return best


def _along_tree(plan: Costs, left: Costs, a, b, unit: float):
    """The pairs of a spanning tree that has those in use, their masses, and the masses that are amiss.

    Mass that rounding alone would send over a pair is dropped: it may be a long way.
    """
    n, m = plan.shape
    used = plan > 1e-14
    weight = np.where(used, 1 - plan / (2 * plan.max()), 1 + left / (left.max() or 1.0))
    # Older versions of scipy's trees take indices of 32 bits alone.
    rows, columns = np.arange(n, dtype=np.int32), np.arange(n, n + m, dtype=np.int32)
    edges = sp.csr_array(
        (weight.ravel(), (np.repeat(rows, m), np.tile(columns, n))), shape=(n + m, n + m)
    )
    order, parent = breadth_first_order(minimum_spanning_tree(edges), 0, directed=False)
    rest, below = np.concatenate([a, b]), np.zeros(n + m)
    sent = np.zeros(n + m)
    for node in order[:0:-1]:
        mass, up = rest[node], parent[node]
        sent[node] = mass if abs(mass) > 4 * unit * below[node] else 0.0
        rest[up] -= sent[node]
        below[up] += abs(sent[node]) + below[node]
    nodes = order[1:]
    at = np.stack([np.minimum(nodes, parent[nodes]), np.maximum(nodes, parent[nodes]) - n])
    mass = sent[nodes]
    if mass.min() >= 0:
        return at, mass, 0.0
    # Not the tree of a vertex: the plan as it is.
    at = np.stack(np.unravel_index(np.argsort(-plan.ravel(), kind="stable")[: n + m - 1], (n, m)))
    off = np.abs(plan.sum(axis=1) - a).sum() + np.abs(plan.sum(axis=0) - b).sum()
    return at, plan[*at], float(off)
