"""Assignments on the host: solved at prices that are nearly right, and held against their duals."""

import numpy as np
import scipy
from jaxtyping import Float, Int

ENOUGH = 1e-12
"""The gap, as a part of the cost, at which nothing is left to refine."""

_MANY = 100
"""Points from which on the search for prices costs less than it saves."""
_EASY = 0.8
"""Share of columns that are the cheapest of some row, from which on few rows compete."""
_FAINT = np.float32(-50)
"""The least logarithm of a weight in the search for prices."""
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

    The algorithm (Jonker and Volgenant) is exact at any prices g of the columns; from those of an
    entropic problem it starts with few rows left to match. Dual prices of its permutation are the
    shortest paths in the graph of exchanges (Bellman and Ford): they exist if no cycle of exchanges
    gains anything, that is, for an optimal permutation alone.
    """
    known = prices.any()
    left, prices = _reduced(cost, prices)
    if not known and len(cost) >= _MANY and np.unique(left.argmin(axis=1)).size < _EASY * len(cost):
        left, better = _reduced(left, entropic_prices(left))
        prices = prices + better
    columns = scipy.optimize.linear_sum_assignment(left)[1]
    total = np.take_along_axis(cost, columns[:, None], axis=1).mean()
    gap, last = _gap(left, columns, ENOUGH * total)
    return columns, relative_gap(gap, total, cost.mean()), prices + last


def _reduced(cost: Costs, prices: Prices) -> tuple[Costs, Prices]:
    """What is left of costs at the best prices of rows, and of columns beyond those given; and these."""
    left = cost - prices
    left -= left.min(axis=1)[:, None]
    more = left.min(axis=0)
    left -= more
    return left, prices + more


def relative_gap(gap, total, mean) -> float:
    """The gap as a part of the cost, or of what rounding leaves of the mean cost of all pairs."""
    size = abs(total) + np.finfo(float).eps * abs(mean)
    return float(gap / size) if size > 0 else float(gap > 0)


def entropic_prices(left: Costs, rounds: int = 5) -> Prices:
    """The prices of columns by Sinkhorn's iteration in single precision, colder and colder.

    From the median of the costs down to what is left between neighbours. Whatever comes out is a
    price: how good it is decides how long the assignment takes, and nothing else.
    """
    n = len(left)
    some = np.sort(left[:: max(1, n // 64)], axis=1)
    warm, cold = np.median(some[:, n // 2]), np.median(some[:, min(10, n - 1)]) / 3
    if not 0 < cold <= warm:
        return np.zeros(n)
    stages = min(8, 2 + round(np.log(warm / cold) / np.log(4)))
    # What is as dear as this is no one's match, and holds in single precision.
    scaled, g = np.minimum(left / warm, 1e30).astype(np.float32), np.zeros(n, np.float32)
    kernel = np.empty_like(scaled)
    for epsilon in np.geomspace(1, cold / warm, stages, dtype=np.float32):
        # With the best f for these g, the largest number of each row is 1.
        np.subtract(scaled, g, out=kernel)
        np.subtract(kernel.min(axis=1)[:, None], kernel, out=kernel)
        kernel /= epsilon
        # Below are numbers that no processor multiplies quickly, and pairs that no plan takes.
        np.maximum(kernel, _FAINT, out=kernel)
        np.exp(kernel, out=kernel)
        v = np.ones(n, np.float32)
        for _ in range(rounds):
            # not by BLAS, whose threads wait for each other longer than such products take
            u = 1 / np.einsum("ij,j->i", kernel, v)
            v = 1 / np.maximum(np.einsum("i,ij->j", u, kernel), np.float32(1e-30))
        g = g + epsilon * np.log(np.maximum(v, np.float32(1e-30)))
    return warm * g.astype(float) if np.isfinite(g).all() else np.zeros(n)


def _gap(left: Costs, columns: Int[np.ndarray, " n"], enough: float) -> tuple[float, Prices]:
    """How much the mean cost lies above that of the best dual prices which are found, and these."""
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
        g, _ = shortened(g, *everywhere, 200)
    f = own - g[columns]
    return -np.minimum((left - f[:, None]).min(axis=0) - g, 0).mean(), g
