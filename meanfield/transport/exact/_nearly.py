"""Prices of transport that are nearly right: those of a coarse problem, refined by Sinkhorn's iteration."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ._network_simplex import network_simplex

_GROUPS = 128
_MEMBERS = 4
"""Groups of rows, and of columns, at most, and points a group at least."""
_LOOKED_AT = 16
"""Columns by which rows are told apart, and rows by which columns are."""
_STAGES = 8
_COLDER = 8
_ROUNDS = 8
"""Entropic problems at most, how much colder each is than the last, and rounds of each."""
_FAINT = np.float32(-50)
_TINY = np.float32(1e-30)
"""The least logarithm of a weight, and the least sum of weights, in the search for prices."""
_SAMPLE = 64
"""Rows that stand for all where a typical one is sought."""

Costs = Float[np.ndarray, "n m"]


class Nearly(NamedTuple):
    """Prices of rows and columns, what is left of the costs at them, and pairs which have a plan nearly as
    cheap as any."""

    f: Float[np.ndarray, " n"]
    g: Float[np.ndarray, " m"]
    left: Costs
    near: Bool[np.ndarray, "n m"]


def nearly(cost: Costs, a, b) -> Nearly | None:
    """Prices of transport between positive masses of the same sum; None where the coarse problem has none.

    Rows like some of them, and columns likewise, are joined, and their masses added; the network simplex
    solves that problem. Its prices say how masses balance far away, and pairs of points whose groups it
    pairs have a plan. Sinkhorn's iteration in single precision then balances masses between groups, colder
    and colder. Whatever comes out are prices: how good they are decides how long the search for the least
    plan takes, and nothing else.
    """
    (rows, of_row), (columns, of_column) = _groups(cost), _groups(cost.T)
    sums = np.bincount(of_row, a, len(rows)), np.bincount(of_column, b, len(columns))
    coarse = network_simplex(cost[np.ix_(rows, columns)], *sums)
    if coarse is None:
        return None
    paired = np.zeros((len(rows), len(columns)), bool)
    paired[*coarse.at] = True
    f, g, left = reduced(cost, (cost[rows] - coarse.f[:, None]).min(axis=0))
    more = _entropic(left, a, b)
    if more is not None:
        f, g, left = reduced(cost, g + more)
    return Nearly(f, g, left, paired[of_row][:, of_column])


def reduced(cost: Costs, prices):
    """The best prices of rows, and of columns beyond those given, and what is left of costs at both."""
    left = cost - prices
    f = left.min(axis=1)
    left -= f[:, None]
    more = left.min(axis=0)
    left -= more
    return f, prices + more, left


def _groups(cost: Costs) -> tuple[Int[np.ndarray, " groups"], Int[np.ndarray, " n"]]:
    """Some of the rows, and for each row which of these has costs most like its own."""
    n = len(cost)
    some = np.unique(np.linspace(0, n - 1, max(1, min(_GROUPS, n // _MEMBERS))).astype(int))
    seen = np.linspace(0, cost.shape[1] - 1, min(_LOOKED_AT, cost.shape[1])).astype(int)
    looks = np.ascontiguousarray(cost[:, seen])
    own = np.einsum("ij,ij->i", looks[some], looks[some])
    # not by BLAS, whose threads wait for each other longer than such products take
    return some, np.argmin(own - 2 * np.einsum("ik,jk->ij", looks, looks[some]), axis=1)


def _entropic(left: Costs, a, b) -> Float[np.ndarray, " m"] | None:
    """What Sinkhorn's iteration adds to the prices of columns, from what is left within groups to what is
    left between neighbours; None where that is nothing."""
    (n, m), step = left.shape, max(1, len(left) // _SAMPLE)
    near, far = min(10, m - 1), min(max(2, 2 * m // _GROUPS), m - 1)
    some = np.partition(left[::step], sorted({near, far}), axis=1)
    warm, cold = np.median(some[:, far]), np.median(some[:, near]) / 3
    if not warm > 1e-30:
        return None
    cold = cold if 0 < cold <= warm else warm
    # What is as dear as this is no one's match, and holds in single precision.
    scaled, g = np.minimum(left / warm, 1e30).astype(np.float32), np.zeros(m, np.float32)
    a, b = (a / a.mean()).astype(np.float32), (b / b.mean() * (n / m)).astype(np.float32)
    kernel = np.empty_like(scaled)
    stages = min(_STAGES, 1 + round(np.log(warm / cold) / np.log(_COLDER)))
    for epsilon in np.geomspace(
        1 if stages > 1 else cold / warm, cold / warm, stages, dtype=np.float32
    ):
        # With the best f for these g, the largest number of each row is 1.
        np.subtract(scaled, g, out=kernel)
        np.subtract(kernel.min(axis=1)[:, None], kernel, out=kernel)
        kernel /= epsilon
        # Below are numbers that no processor multiplies quickly, and pairs that no plan takes.
        np.maximum(kernel, _FAINT, out=kernel)
        np.exp(kernel, out=kernel)
        v = np.ones(m, np.float32)
        for _ in range(_ROUNDS):
            u = a / np.einsum("ij,j->i", kernel, v)
            v = b / np.maximum(np.einsum("i,ij->j", u, kernel), _TINY)
        g = g + epsilon * np.log(np.maximum(v, _TINY))
    return warm * g.astype(float) if np.isfinite(g).all() else None
