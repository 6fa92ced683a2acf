"""Assignments on the host: solved at prices that are nearly right, and held against their duals."""

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int

ENOUGH = 1e-12
"""The gap, as a part of the cost, at which nothing is left to refine."""

_MANY = 100
"""Points from which on the search for prices costs less than it saves."""
_LARGE = 400
"""Points from which on few pairs are looked at before all."""
_EASY = 0.8
"""Share of columns that are the cheapest of some row, from which on few rows compete."""
_FAINT = np.float32(-50)
"""The least logarithm of a weight in the search for prices."""
_NEAREST = 12
"""Rows a column, and columns a row, among which matches and shortest paths are sought first."""
_MOST = 0.75
"""The part of rows and columns that have so many."""
_FEW = 8
"""Times so many pairs, beyond which the search among all is quicker."""
_SAMPLE = 64
"""Rows or columns that stand for all where a typical one is sought."""
_ATTEMPTS = 20
"""Times that pairs join these."""
_STAGES = 10
_ROUNDS = 30
_NEARLY = 0.02
"""In the search for prices: colder problems, rounds of each, and the error at which a colder one is next."""
_RELAXED = np.float32(1.7)

Costs = Float[np.ndarray, "n n"]
Prices = Float[np.ndarray, " n"]
Pairs = Bool[np.ndarray, "n n"]
_Found = tuple[Int[np.ndarray, " n"], float, Prices]


def least_assignment(cost: Costs) -> tuple[Int[np.ndarray, " n"], float]:
    """The permutation of least cost, and the gap to a dual solution, relative to the cost."""
    columns, gap, _ = assignment_at(cost, np.zeros(len(cost)))
    return columns, gap


def assignment_at(cost: Costs, prices: Prices) -> tuple[Int[np.ndarray, " n"], float, Prices]:
    """The permutation of least cost, its gap, and its dual prices, found from those of a problem nearby.

    The algorithm (Jonker and Volgenant) is exact at any prices g of the columns; from those of an
    entropic problem it starts with few rows left to match, and finds the least permutation among
    pairs that are cheap there, where no other pair would lower it. Dual prices of a permutation are the
    shortest paths in the graph of exchanges (Bellman and Ford): they exist if no cycle of exchanges
    gains anything, that is, for an optimal permutation alone.
    """
    n, known = len(cost), prices.any()
    left, prices = _reduced(cost, prices)
    if not known and n >= _MANY and np.unique(left.argmin(axis=1)).size < _EASY * n:
        left, better = _reduced(left, entropic_prices(left))
        prices = prices + better
    near = _cheap(left)
    found = _among(cost, left, near) if n >= _LARGE else None
    if found is None:
        found = _held(cost, left, scipy.optimize.linear_sum_assignment(left)[1], near)
    columns, gap, last = found
    total = np.take_along_axis(cost, columns[:, None], axis=1).mean()
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


def entropic_prices(left: Costs) -> Prices:
    """The prices of columns by Sinkhorn's iteration in single precision, colder and colder.

    From the median of the costs down to what is left between neighbours. Whatever comes out is a
    price: how good it is decides how long the assignment takes, and nothing else.
    """
    n, step = len(left), max(1, len(left) // _SAMPLE)
    warm = np.median(left[::step])
    if not 0 < warm < np.inf:
        return np.zeros(n)
    # What is as dear as this is no one's match, and holds in single precision.
    scaled, g = np.minimum(left / warm, 1e30).astype(np.float32), np.zeros(n, np.float32)
    kernel, epsilon = np.empty_like(scaled), np.float32(1)
    for _ in range(_STAGES):
        # With the best f for these g, the largest number of each row is 1.
        np.subtract(scaled, g, out=kernel)
        np.subtract(kernel.min(axis=1)[:, None], kernel, out=kernel)
        kernel /= epsilon
        # Below are numbers that no processor multiplies quickly, and pairs that no plan takes.
        np.maximum(kernel, _FAINT, out=kernel)
        np.exp(kernel, out=kernel)
        g = g + epsilon * np.log(_scaling(kernel))
        some = np.partition(scaled[::step] - g, min(10, n - 1), axis=1)
        cold = np.median(some[:, min(10, n - 1)] - some.min(axis=1)) / 3
        if not epsilon > 2 * cold > 0:
            break
        epsilon = max(epsilon / 4, cold)
    return warm * g.astype(float) if np.isfinite(g).all() else np.zeros(n)


def _scaling(kernel: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " n"]:
    """Factors of the columns after some rounds, over-relaxed, by which rows and columns are nearly 1."""
    v = np.ones(len(kernel), np.float32)
    for _ in range(_ROUNDS):
        # not by BLAS, whose threads wait for each other longer than such products take
        u = 1 / np.einsum("ij,j->i", kernel, v)
        gained = v * np.maximum(np.einsum("i,ij->j", u, kernel), np.float32(1e-30))
        v = np.maximum(v * gained**-_RELAXED, np.float32(1e-30))
        if np.abs(gained - 1).mean() < _NEARLY:
            break
    return v


def _cheap(left: Costs) -> Pairs:
    """The pairs among which most columns, and most rows, have their cheapest ones."""
    few, step = min(_NEAREST, len(left)) - 1, max(1, len(left) // _SAMPLE)
    columns = np.partition(left[:, ::step], few, axis=0)[few]
    rows = np.partition(left[::step], few, axis=1)[:, few]
    return left <= max(np.quantile(columns, _MOST), np.quantile(rows, _MOST))


def _match(left: Costs, near: Pairs) -> Int[np.ndarray, " n"] | None:
    """The permutation of least cost among these pairs; None if they have none, or are not few."""
    places, dear = np.flatnonzero(near), left[near].max()
    if places.size > _FEW * _NEAREST * len(left) or not 0 < dear < np.inf:
        return None
    rows, columns = np.divmod(places, len(left))
    # A pair whose number is 0 would be none.
    graph = scipy.sparse.csr_array((left[rows, columns] + dear, (rows, columns)), left.shape)
    try:
        return scipy.sparse.csgraph.min_weight_full_bipartite_matching(graph)[1]
    except ValueError:
        return None


def _among(cost: Costs, left: Costs, near: Pairs) -> _Found | None:
    """The permutation of least cost, found among few pairs, which those that would lower it join; None
    if too many would."""
    for _ in range(_ATTEMPTS):
        columns = _match(left, near)
        if columns is None:
            return None
        gap, g, better = _judged(cost, left, columns, near)
        if better is None:
            return columns, gap, g
        near |= better
    return None


def _held(cost: Costs, left: Costs, columns: Int[np.ndarray, " n"], near: Pairs) -> _Found:
    """A permutation, with the gap to the best dual prices that are found, and these."""
    for _ in range(_ATTEMPTS):
        gap, g, better = _judged(cost, left, columns, near)
        if better is None:
            break
        near |= better
    return columns, gap, g


def _judged(cost: Costs, left: Costs, columns, near: Pairs) -> tuple[float, Prices, Pairs | None]:
    """The gap of a permutation to the prices that are the shortest paths through pairs that are near, and
    the pairs that would shorten them, if that is worth it."""
    n = len(left)
    everyone = np.arange(n)
    near[everyone, columns] = True
    own, enough = left[everyone, columns], ENOUGH * cost[everyone, columns].mean()
    ends, begins = np.divmod(np.flatnonzero(np.ascontiguousarray(near.T)), n)
    costs, first = left[begins, ends], np.searchsorted(ends, everyone)
    g, settled = np.zeros(n), False
    for _ in range(
        2 * n
    ):  # after n of them there is a cycle that gains something, if but by rounding
        shorter = np.minimum.reduceat(costs - (own - g[columns])[begins], first) - g
        settled = -shorter.min() <= enough
        if settled:
            break
        g += np.minimum(shorter, 0)
    beyond = left - (own - g[columns])[:, None]
    least = beyond.min(axis=0) - g
    gap = -np.minimum(least, 0).mean()
    return gap, g, beyond < g - enough if settled and -least.min() > enough else None
