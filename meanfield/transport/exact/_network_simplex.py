"""The network simplex of POT, and what its basis says: masses and prices, exact to rounding."""

import functools
import threading
import warnings
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.csgraph import breadth_first_order, connected_components

_PIVOTS = 10**9
"""More pivots than any problem that fits in memory takes."""
_THIN = 4
"""Columns a row from which on rows and columns change places: POT is several times quicker so."""
_filters = threading.Lock()
Costs = Float[np.ndarray, "n m"]


class Basis(NamedTuple):
    """Pairs with their masses, dual potentials, and the mass that is amiss."""

    at: Int[np.ndarray, "2 k"]
    mass: Float[np.ndarray, " k"]
    f: Float[np.ndarray, " n"]
    g: Float[np.ndarray, " m"]
    off: float


def network_simplex(cost: Costs, a, b) -> Basis | None:
    """A vertex of least cost for positive masses, and dual potentials with the rounding of all pivots.

    Source: Bonneel, van de Panne, Paris and Heidrich (2011), doi:10.1145/2070781.2024192, in POT.
    """
    n, m = cost.shape
    if m > _THIN * n:
        turned = network_simplex(cost.T, b, a)
        return turned and turned._replace(at=turned.at[::-1], f=turned.g, g=turned.f)
    found = _solved(cost, a, b, _PIVOTS)
    if found is None:
        return None
    plan, f, g = found
    at = np.stack(np.nonzero(plan))
    off = np.abs(plan.sum(axis=1) - a).sum() + np.abs(plan.sum(axis=0) - b).sum()
    return Basis(at, plan[*at], f, g, float(off))


def among(at: Int[np.ndarray, "2 pairs"], costs, a, b, pivots: int) -> tuple[Basis | None, float]:
    """A vertex of least cost among these pairs, and the rounding of its potentials; None where these pairs
    have no plan, or so many pivots do not find the least.

    POT leaves out masses of 1e-15, and takes pairs to have no plan where 1e-8 is amiss.
    """
    n, m = len(a), len(b)
    # Pairs that POT adds to begin with cost as much as a path through all points.
    scale = costs.max() or 1.0
    found = _solved(sp.coo_matrix((costs / scale, tuple(at)), shape=(n, m)), a, b, pivots)
    if found is None:
        return None, 0.0
    plan, f, g = found
    used = plan.data > 0
    at, mass = np.stack([plan.row, plan.col])[:, used], plan.data[used]
    sums = np.bincount(at[0], mass, n) - a, np.bincount(at[1], mass, m) - b
    off = sum(float(np.abs(z).sum()) for z in sums)
    return Basis(at, mass, scale * f, scale * g, off), 4 * np.finfo(float).eps * (n + m) * scale


def _solved(cost, a, b, pivots: int):
    """The plan and the potentials of POT for costs of all pairs, or of some; None where it has none."""
    # Filters are those of all threads: one at a time, and no warnings but POT's are hidden.
    with _filters, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"ot\.")
        plan, log = _pot().emd(a, b, cost, pivots, log=True, center_dual=False)
    if log["warning"] is not None or not np.isfinite(log["u"]).all():
        return None
    return plan, log["u"], log["v"]


@functools.cache
def _pot() -> Any:
    """POT, whose documents have warnings of their own when it is first imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ot
    return ot


def refined(basis: Basis, cost: Costs, a, b, unit: float, enough: float = 0.0) -> Basis:
    """The basis with masses and prices that follow from it: nothing rounds but their sums.

        sum_j P_ij = a_i,    sum_i P_ij = b_j,    f_i + g_j = c_ij  where P_ij > 0

    The pairs in use are a forest. In each of its trees masses are summed from the leaves, and prices
    from the root; mass that rounding alone would send over a pair (`unit` of what is below it) is
    dropped: it may be a long way. Between trees, whose balance no mass decides, prices move as
    little as keeps every pair no cheaper than they say, or cheaper by no more than `enough`.
    """
    n, m = cost.shape
    order, parent, tree = _forest(basis.at, n, m)
    inner = parent[order] != n + m
    nodes, roots = order[inner], order[~inner]
    first, second = np.minimum(nodes, parent[nodes]), np.maximum(nodes, parent[nodes]) - n
    sent = _sums(np.concatenate([a, b]), order, parent, unit)
    prices = [*basis.f.tolist(), *basis.g.tolist()]
    steps = nodes.tolist(), parent[nodes].tolist(), cost[first, second].tolist()
    for node, up, of_pair in zip(*steps, strict=True):
        prices[node] = of_pair - prices[up]
    f, g = _settled(cost, np.array(prices[:n]), np.array(prices[n:]), tree, enough)
    if len(nodes) < basis.at.shape[1] or (sent[nodes] < 0).any():
        return _heaviest(basis, n + m - 1)._replace(f=f, g=g)
    return Basis(np.stack([first, second]), sent[nodes], f, g, float(np.abs(sent[roots]).sum()))


def _heaviest(basis: Basis, most: int) -> Basis:
    """At most so many pairs, with masses as found: where rounding has decided which are in use."""
    kept = np.argsort(-basis.mass, kind="stable")[:most]
    dropped = basis.mass.sum() - basis.mass[kept].sum()
    off = basis.off + 2 * float(dropped)
    return basis._replace(at=basis.at[:, kept], mass=basis.mass[kept], off=off)


def _sums(masses, order, parent, unit: float) -> Float[np.ndarray, " nodes"]:
    """The mass that each point sends to its parent, and none where rounding alone would send some."""
    rest, sent = [*masses.tolist(), 0.0], np.zeros(len(masses))
    below = [0.0] * len(rest)
    for node, up in zip(order[::-1].tolist(), parent[order[::-1]].tolist(), strict=True):
        if abs(rest[node]) > 4 * unit * below[node]:
            sent[node] = rest[node]
            rest[up] -= rest[node]
        below[up] += abs(sent[node]) + below[node]
    return sent


def _forest(at, n: int, m: int):
    """Points in an order from the roots of trees to leaves, each with its parent, and their trees.

    One more node, n + m, is the parent of all roots.
    """
    size = n + m + 1
    ends = np.concatenate([at[0], at[1] + n]), np.concatenate([at[1] + n, at[0]])
    graph = sp.csr_array((np.ones(2 * at.shape[1]), ends), shape=(size, size))
    tree = connected_components(graph, directed=False)[1][:-1]
    roots = np.unique(tree, return_index=True)[1]
    above = sp.csr_array(
        (np.ones(len(roots)), (np.full(len(roots), n + m), roots)), shape=graph.shape
    )
    order, parent = breadth_first_order(graph + above, n + m, directed=False)
    return order[1:], parent, tree


def _settled(cost: Costs, f, g, tree, enough: float):
    """Prices moved tree by tree, until no pair between two of them is cheaper than they say by more.

    The shortest paths of Bellman and Ford over trees; moves are of the size of rounding, and where
    a cycle of them would gain (the plan is not the least) they end as they are.
    """
    n, trees = len(f), tree.max() + 1
    if trees == 1:
        return f, g
    slack = np.full((trees, trees), np.inf)
    left, own = cost - f[:, None] - g, []
    for axis, of in enumerate((tree[:n], tree[n:])):
        order = np.argsort(of, kind="stable")
        one, first = np.unique(of[order], return_index=True)
        own.append(one)
        left = np.minimum.reduceat(left.take(order, axis), first, axis)
    slack[np.ix_(*own)] = left
    np.fill_diagonal(slack, np.inf)
    move = np.zeros(trees)
    for _ in range(trees):
        # f of tree k rises by move_k and g falls by it: move_k <= move_l + slack_kl.
        last, move = move, np.minimum(move, (move + slack).min(axis=1))
        if (last - move).max() <= enough:
            break
    return f + move[tree[:n]], g - move[tree[n:]]
