"""Linear programs of transport over the few pairs that can matter, and the proof that no other does."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float
from scipy.optimize import linprog

from ._assignment import entropic_prices

_SMALL = 2500
"""Pairs up to which all are taken at once."""
_FIRST, _MORE = 15, 5
"""Pairs of each point to begin with, and at most so many more of each a round."""
_SEARCH = 40
"""Iterations at each temperature in the search for prices: worse prices cost programs, which are dearer."""
_ROUNDS = 20
_SLACK = 1e-10
"""How far below 0 HiGHS leaves reduced costs."""

Costs = Float[np.ndarray, "n m"]
Pairs = Bool[np.ndarray, "n m"]


class Solved(NamedTuple):
    """A plan [n, m], dual potentials, and how many iterations they took."""

    plan: Costs
    f: Float[np.ndarray, " n"]
    g: Float[np.ndarray, " m"]
    steps: int


def priced_program(cost: Costs, a, b) -> Solved | None:
    """A plan of least cost, for costs between 0 and 1, and a dual solution that holds at all pairs.

    Of n m pairs a vertex uses n + m - 1. Those that look cheapest at entropic prices are solved for;
    pairs whose cost is below f_i + g_j join them, until there is none. Then f and g are a solution of
    the whole dual, and the plan is one of the whole problem, whatever the prices were.

    Source: column generation (Dantzig and Wolfe 1960, doi:10.1287/opre.8.1.101), on a shielded
    neighbourhood as in Schmitzer (2016), doi:10.1007/s10851-016-0653-9, with prices for the shield.
    """
    if cost.size <= _SMALL:
        return _program(cost, a, b, np.ones(cost.shape, bool))
    g = entropic_prices(cost, len(a) * a, len(a) * b, _SEARCH)
    f = (cost - g).min(axis=1)
    left = cost - f[:, None] - g
    pairs, steps = _least(left, _FIRST) | _corner(a, b), 0
    for _ in range(_ROUNDS):
        solved = _program(left, a, b, pairs)
        if solved is None:
            break
        # What is left at these prices: the next problem is easier than the last.
        left = left - (solved.f[:, None] + solved.g)
        f, g, steps = f + solved.f, g + solved.g, steps + solved.steps
        cheap = (left < -_SLACK) & ~pairs
        if not cheap.any():
            return Solved(solved.plan, f, g, steps)
        pairs |= _least(np.where(cheap, left, np.inf), _MORE) & cheap
    return _program(cost, a, b, np.ones(cost.shape, bool))


def _least(left: Costs, few: int) -> Pairs:
    """The few least of each row and of each column."""
    n, m = left.shape
    pairs = np.zeros((n, m), bool)
    k = min(few, m) - 1
    pairs[np.arange(n)[:, None], np.argpartition(left, k, axis=1)[:, : k + 1]] = True
    k = min(few, n) - 1
    pairs[np.argpartition(left, k, axis=0)[: k + 1], np.arange(m)] = True
    return pairs


def _corner(a, b) -> Pairs:
    """The pairs of the plan that fills rows and columns in order, so that there is one."""
    have, need = np.cumsum(a), np.cumsum(b)
    ends = np.sort(np.concatenate([have[:-1], need[:-1]]))
    middles = (np.append(0.0, ends) + np.append(ends, have[-1])) / 2
    pairs = np.zeros((len(a), len(b)), bool)
    rows = np.minimum(np.searchsorted(have, middles), len(a) - 1)
    pairs[rows, np.minimum(np.searchsorted(need, middles), len(b) - 1)] = True
    return pairs


def _program(cost: Costs, a, b, pairs: Pairs) -> Solved | None:
    """The least plan on these pairs, by HiGHS."""
    n, m = cost.shape
    i, j = np.nonzero(pairs)
    k = len(i)
    ends = np.stack([i, n + j], axis=1).ravel().astype(np.int32)
    starts = np.arange(0, 2 * k + 1, 2, dtype=np.int32)
    constraints = sp.csc_array((np.ones(2 * k), ends, starts), shape=(n + m, k))
    # One of the n + m constraints follows from the others, up to rounding: leave out the last one.
    constraints = sp.csc_array(constraints.tocsr()[:-1])
    # In units where masses are about 1, so that HiGHS's absolute tolerances are relative ones.
    right = max(n, m) * np.concatenate([a, b])[:-1]
    tight = {"primal_feasibility_tolerance": _SLACK, "dual_feasibility_tolerance": _SLACK}
    found = linprog(cost[i, j], A_eq=constraints, b_eq=right, method="highs-ds", options=tight)
    if found.status != 0:
        return None
    plan, dual = np.zeros((n, m)), np.append(found.eqlin.marginals, 0.0)
    plan[i, j] = found.x / max(n, m)
    return Solved(plan, dual[:n], dual[n:], int(found.nit))
