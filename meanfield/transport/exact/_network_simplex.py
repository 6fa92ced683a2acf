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


class Followed(NamedTuple):
    """Pairs with the masses that follow, dual potentials, the trees, and what each has left to send."""

    at: Int[np.ndarray, "2 k"]
    mass: Float[np.ndarray, " k"]
    f: Float[np.ndarray, " n"]
    g: Float[np.ndarray, " m"]
    tree: Int[np.ndarray, " points"]
    left: Float[np.ndarray, " trees"]


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
    at = np.stack(np.divmod(np.flatnonzero(plan), m))
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
    little as keeps every pair no cheaper than they say, or cheaper by no more than `enough`. Where the
    search has lost little masses, pairs that would send less than none are left out, and trees that have
    mass left are joined.
    """
    n, m = cost.shape
    problem = cost, a, b, unit, enough
    found = _followed(basis.at, basis.f, basis.g, *problem)
    kept = _heaviest(basis, n + m - 1)._replace(f=found.f, g=found.g)
    if found.mass.size < basis.at.shape[1]:
        return kept
    if (found.mass < 0).any():
        found = _followed(found.at[:, found.mass >= 0], found.f, found.g, *problem)
    if found.left.any():
        rest = cost - found.f[:, None] - found.g
        joins = _joins(rest, found.tree, found.left)
        joined = _followed(np.append(found.at, joins, axis=1), found.f, found.g, *problem)
        found = joined if (joined.mass >= 0).all() else found
    if (found.mass < 0).any():
        return kept
    return Basis(found.at, found.mass, found.f, found.g, float(np.abs(found.left).sum()))


def _followed(at, f, g, cost: Costs, a, b, unit: float, enough: float) -> Followed:
    """What follows from pairs in use: prices are those given at the roots of trees."""
    n, m = cost.shape
    masses = np.concatenate([a, b])
    order, parent, tree = _forest(at, masses, n)
    inner = parent[order] != n + m
    nodes, roots = order[inner], order[~inner]
    at = np.stack([np.minimum(nodes, parent[nodes]), np.maximum(nodes, parent[nodes]) - n])
    sent = _sums(masses, order, parent, unit)
    prices = [*f.tolist(), *g.tolist()]
    steps = nodes.tolist(), parent[nodes].tolist(), cost[*at].tolist()
    for node, up, of_pair in zip(*steps, strict=True):
        prices[node] = of_pair - prices[up]
    f, g = _settled(cost, np.array(prices[:n]), np.array(prices[n:]), tree, enough)
    left = np.zeros(len(roots))
    left[tree[roots]] = np.where(roots < n, 1, -1) * sent[roots]
    # The sums of a and b are one number: the heaviest tree takes what others leave, but for rounding.
    heaviest = np.arange(len(left)) == tree[masses.argmax()]
    left[heaviest] = -left[~heaviest].sum()
    return Followed(at, sent[nodes], f, g, tree, left)


def _joins(rest: Costs, tree, left) -> Int[np.ndarray, "2 k"]:
    """Pairs by which trees send each other, at the least cost, what they have left; none where those are
    not found.

    They may send by way of others, which pass on, for nothing, twice as much as all have left.
    """
    slack = _between(np.maximum(rest, 0), tree)
    np.fill_diagonal(slack, 0)
    passing, none, pairs = 2 * np.abs(left).sum(), ~np.isfinite(slack), np.zeros((2, 0), int)
    far = slack[~none].max() or 1.0
    sums = (1e5 / len(left) * (np.maximum(z / passing, 0) + 1) for z in (left, -left))
    found = network_simplex(np.where(none, len(left), slack / far), *sums)
    if found is None or none[*found.at].any():
        return pairs
    of_rows, of_columns = np.split(tree, [len(rest)])
    for sends, takes in found.at.T[found.at[0] != found.at[1]]:
        rows, columns = np.flatnonzero(of_rows == sends), np.flatnonzero(of_columns == takes)
        i, j = np.divmod(rest[np.ix_(rows, columns)].argmin(), len(columns))
        pairs = np.column_stack([pairs, [rows[i], columns[j]]])
    return pairs


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


def _forest(at, masses, n: int):
    """Points in an order from the roots of trees to leaves, each with its parent, and their trees.

    The root of a tree is its heaviest point, at which what rounds elsewhere is amiss: at a point of
    little mass it would be much. One more node is the parent of all roots.
    """
    size = len(masses)
    ends = np.concatenate([at[0], at[1] + n]), np.concatenate([at[1] + n, at[0]])
    tree = connected_components(_graph(ends, size), directed=False)[1]
    heavy = np.argsort(-masses, kind="stable")
    roots = heavy[np.unique(tree[heavy], return_index=True)[1]]
    top = np.full(len(roots), size)
    ends = np.concatenate([ends[0], top]), np.concatenate([ends[1], roots])
    order, parent = breadth_first_order(_graph(ends, size + 1), size)
    return order[1:], parent, tree


def _graph(ends, size: int) -> sp.csr_array:
    """Edges from the first ends to the second; scipy's own way to this looks at all several times."""
    start = np.concatenate([[0], np.cumsum(np.bincount(ends[0], minlength=size))])
    order = np.argsort(ends[0], kind="stable")
    return sp.csr_array((np.ones(len(order)), ends[1][order], start), shape=(size, size))


def _settled(cost: Costs, f, g, tree, enough: float):
    """Prices moved tree by tree, until no pair between two of them is cheaper than they say by more.

    The shortest paths of Bellman and Ford over trees; moves are of the size of rounding, and where
    a cycle of them would gain (the plan is not the least) they end as they are.
    """
    n, trees = len(f), tree.max() + 1
    if trees == 1:
        return f, g
    slack = _between(cost - f[:, None] - g, tree)
    np.fill_diagonal(slack, np.inf)
    move = np.zeros(trees)
    for _ in range(trees):
        # f of tree k rises by move_k and g falls by it: move_k <= move_l + slack_kl.
        last, move = move, np.minimum(move, (move + slack).min(axis=1))
        if (last - move).max() <= enough:
            break
    return f + move[tree[:n]], g - move[tree[n:]]


def _between(left: Costs, tree) -> Float[np.ndarray, "trees trees"]:
    """What is left of the cheapest pair of a row of one tree and a column of another; infinity where one
    has none."""
    trees, own = tree.max() + 1, []
    for axis, of in enumerate(np.split(tree, [len(left)])):
        order = np.argsort(of, kind="stable")
        one, first = np.unique(of[order], return_index=True)
        own.append(one)
        left = np.minimum.reduceat(left.take(order, axis), first, axis)
    slack = np.full((trees, trees), np.inf)
    slack[np.ix_(*own)] = left
    return slack
