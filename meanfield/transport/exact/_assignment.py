"""Assignments on the host: solved at prices that are nearly right, and held against their duals."""

from collections.abc import Callable

import numpy as np
import scipy
from jaxtyping import Float, Int

from ._few_pairs import few_pairs
from ._nearly import reduced
from ._network_simplex import Basis, network_simplex

ENOUGH = 1e-12
"""The gap, as a part of the cost, at which nothing is left to refine."""

_MANY = 100
_LARGE = 300
"""Points from which on a network simplex is quicker, and from which on among few pairs."""
_EASY = 0.8
"""Share of columns that are the cheapest of some row, from which on few rows compete."""
_NEAREST = 24
"""Rows a column among which shortest paths are sought first."""

Costs = Float[np.ndarray, "n n"]
Prices = Float[np.ndarray, " n"]


def least_assignment(cost: Costs) -> tuple[Int[np.ndarray, " n"], float]:
    """The permutation of least cost, and the gap to a dual solution, relative to the cost."""
    columns, gap, _ = assignment_at(cost, np.zeros(len(cost)))
    return columns, gap


def assignment_at(cost: Costs, prices: Prices) -> tuple[Int[np.ndarray, " n"], float, Prices]:
    """The permutation of least cost, its gap, and its dual prices, found from those of a problem nearby.

    Where nothing is known of prices and rows compete for columns, a network simplex finds it, of many points
    among few pairs. If that ends without a proof the algorithm of Jonker and Volgenant goes on, which is
    exact at any prices g of the columns; from those of a problem nearby it starts with few rows left to
    match. Dual prices of a permutation are the shortest paths in the graph of exchanges (Bellman and Ford):
    they exist if no cycle of exchanges gains anything, that is, for an optimal permutation alone.
    """
    known = prices.any()
    left, prices = _reduced(cost, prices)
    if not known and len(cost) >= _MANY and np.unique(left.argmin(axis=1)).size < _EASY * len(cost):
        columns, better = _by_simplex(left)
        left, better = _reduced(left, better)
        prices = prices + better
        if columns is not None:
            gap, last = _proof(cost, left, columns)
            if gap <= ENOUGH:
                return columns, gap, prices + last
    columns = scipy.optimize.linear_sum_assignment(left)[1]
    gap, last = _proof(cost, left, columns)
    return columns, gap, prices + last


def _proof(cost: Costs, left: Costs, columns) -> tuple[float, Prices]:
    """The gap of a permutation as a part of its cost, and prices of columns which prove it."""
    total = np.take_along_axis(cost, columns[:, None], axis=1).mean()
    # Nothing is left below 0: these are dual prices, and what is left of a permutation is its gap.
    gap, g = left[np.arange(len(left)), columns].mean(), np.zeros(len(left))
    for better in (_shortest, _potentials):
        if gap > ENOUGH * total:
            more = better(left, columns, ENOUGH * total)
            f = left[np.arange(len(left)), columns] - more[columns]
            rest = -np.minimum((left - f[:, None]).min(axis=0) - more, 0).mean()
            gap, g = (rest, more) if rest < gap else (gap, g)
    return relative_gap(gap, total, cost.mean()), g


def _by_simplex(left: Costs) -> tuple[Int[np.ndarray, " n"] | None, Prices]:
    """The permutation that a network simplex finds, if it is one, and prices of columns, which may be any."""
    found = _solved(few_pairs if len(left) >= _LARGE else network_simplex, left)
    if found is None:
        return None, np.zeros(len(left))
    columns = found.at[1, np.argsort(found.at[0], kind="stable")]
    whole = found.at.shape[1] == len(left) and np.unique(columns).size == len(left)
    return (columns if whole else None), found.g


def _solved(search: Callable[..., Basis | None], left: Costs) -> Basis | None:
    """What a search for plans finds of equal masses, in its unit of costs; potentials in that of ours."""
    ones, scale = np.ones(len(left)), left.max() or 1.0
    found = search(left / scale, ones, ones)
    return found and found._replace(f=scale * found.f, g=scale * found.g)


def _reduced(cost: Costs, prices: Prices) -> tuple[Costs, Prices]:
    """What is left of costs at the best prices of rows, and of columns beyond those given; and these."""
    _, prices, left = reduced(cost, prices)
    return left, prices


def relative_gap(gap, total, mean) -> float:
    """The gap as a part of the cost, or of what rounding leaves of the mean cost of all pairs."""
    size = abs(total) + np.finfo(float).eps * abs(mean)
    return float(gap / size) if size > 0 else float(gap > 0)


def _shortest(left: Costs, columns: Int[np.ndarray, " n"], enough: float) -> Prices:
    """Dual prices of a permutation as far as few rounds find them: the shortest paths among near pairs."""
    n = len(left)
    own, g = left[np.arange(n), columns], np.zeros(n)

    def shortened(g: Prices, costs, rows, rounds: int) -> tuple[Prices, bool]:
        for _ in range(rounds):
            new = np.minimum(g, (costs - (own - g[columns])[rows]).min(axis=0))
            settled = (g - new).max() <= enough
            g = new
            if settled:
                return g, True
        return g, False

    everywhere = left, np.arange(n)[:, None]
    g, settled = shortened(g, *everywhere, 1)
    if not settled:
        few = min(_NEAREST, n)
        nearest = np.argpartition(left, few - 1, axis=0)[:few]
        g, _ = shortened(g, np.take_along_axis(left, nearest, axis=0), nearest, 4 * n)
        g, _ = shortened(g, *everywhere, 20)
    return g


def _potentials(left: Costs, *_) -> Prices:
    """Those of a network simplex among all pairs, for permutations of which paths are long: many points on
    one."""
    found = _solved(network_simplex, left)
    return np.zeros(len(left)) if found is None else found.g
