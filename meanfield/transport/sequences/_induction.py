"""Backward induction over the pasts of two sequences, on the host."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ..exact import least_assignment, least_plan

Matrix = Float[np.ndarray, "_ _"]
Weights = Float[np.ndarray, " _"]


class Step(NamedTuple):
    """The pasts that end at some time: which past each continues, its probability given that one, and a
    path that has it."""

    parent: Int[np.ndarray, " k"]
    share: Weights
    path: Int[np.ndarray, " k"]


class Inner(NamedTuple):
    """A coupling of the continuations of two pasts, by pairs; and the gap to the least cost."""

    rows: Int[np.ndarray, " k"]
    columns: Int[np.ndarray, " k"]
    mass: Weights
    gap: float


def tree_of(x: Float[np.ndarray, "n t d"], a: Weights) -> tuple[list[Step], Int[np.ndarray, " n"]]:
    """The pasts of weighted paths, time by time, and which whole one each path has.

    Pasts are the same where all numbers are. Those of one parent are in the order of x_t, and paths
    of no mass have the last.
    """
    label, masses, tree = np.zeros(len(x), int), np.array([a.sum()]), []
    for t in range(x.shape[1]):
        keyed = np.column_stack([label, x[:, t]])
        _, first, new = np.unique(keyed, axis=0, return_index=True, return_inverse=True)
        new = new.ravel()
        mass = np.bincount(new, weights=a)
        parent = label[first]
        tree.append(Step(parent, mass / masses[parent], first))
        label, masses = new, mass
    return tree, label


def plan_of(costs, first, second, monotone: bool) -> tuple[Matrix, float]:
    """The plan of two trees with least mean sum of costs [T, n, m] that does not look ahead, between
    whole paths of the trees; and the largest gap of a step, as a part of its cost."""
    couplings, gap = [], 0.0
    value = np.zeros((len(first[-1].path), len(second[-1].path)))
    for t in range(len(first) - 1, -1, -1):
        total = costs[t][np.ix_(first[t].path, second[t].path)] + value
        value, found = _stage(total, first[t], second[t], monotone)
        gap = max([gap, *(inner.gap for inner in found.values())])
        couplings.append(found)
    return plan_from(first, second, couplings[::-1]), gap


def plan_from(first: list[Step], second: list[Step], couplings) -> Matrix:
    """The plan between whole paths that couplings of continuations make, time by time."""
    plan = np.ones((1, 1))
    for one, other, found in zip(first, second, couplings, strict=True):
        below = plan[np.ix_(one.parent, other.parent)] * one.share[:, None] * other.share
        for (u, v), inner in found.items():
            rows, columns = (np.flatnonzero(s.parent == k) for s, k in ((one, u), (other, v)))
            below[np.ix_(rows, columns)] = 0
            np.add.at(below, (rows[inner.rows], columns[inner.columns]), plan[u, v] * inner.mass)
        plan = below
    return plan


def single_values(total: Matrix, one: Step, other: Step):
    """The mean cost from each pair of pasts on by product couplings, which of a past with one continuation
    all are; and the continuations of each past."""
    size = one.parent.max() + 1, other.parent.max() + 1
    shares = np.zeros((size[0], len(one.parent))), np.zeros((size[1], len(other.parent)))
    for matrix, step in zip(shares, (one, other), strict=True):
        matrix[step.parent, np.arange(len(step.parent))] = step.share
    rows, columns = ([np.flatnonzero(row > 0) for row in matrix] for matrix in shares)
    return shares[0] @ total @ shares[1].T, rows, columns


def _stage(total: Matrix, one: Step, other: Step, monotone: bool):
    """The least cost from each pair of pasts on, and the couplings where there is a choice."""
    value, rows, columns = single_values(total, one, other)
    found = {}
    for u, mine in enumerate(rows):
        for v, yours in enumerate(columns):
            if len(mine) > 1 and len(yours) > 1:
                block = total[np.ix_(mine, yours)]
                inner = coupled(block, one.share[mine], other.share[yours], monotone)
                found[u, v] = inner
                value[u, v] = inner.mass @ block[inner.rows, inner.columns]
    return value, found


def coupled(cost: Matrix, p: Weights, q: Weights, monotone: bool = False) -> Inner:
    """The coupling of weights p, q of least cost; if `monotone`, that of quantiles.

    Where the cost is Monge in the order of rows and columns, quantiles are optimal, and so are they
    in the opposite order of columns where that is (Hoffman 1963): a sort, and no program.
    """
    if monotone or _monge(cost):
        return _quantiles(p, q)
    if _monge(cost[:, ::-1]):
        found = _quantiles(p, q[::-1])
        return found._replace(columns=len(q) - 1 - found.columns)
    if len(p) == len(q) and np.ptp(p) <= 1e-14 and np.ptp(q) <= 1e-14:
        columns, gap = least_assignment(cost)
        return Inner(np.arange(len(p)), columns, p, gap)
    solved = least_plan(cost, p, q, float(np.finfo(float).eps))
    if solved is None:
        return _quantiles(p, q)._replace(gap=np.inf)
    return Inner(solved.at[0], solved.at[1], solved.mass, solved.gap)


def _monge(cost: Matrix) -> bool:
    """Whether c_ij + c_kl <= c_il + c_kj for all i < k, j < l, up to rounding."""
    excess: Bool[np.ndarray, "..."] = cost[:-1, :-1] + cost[1:, 1:] - cost[:-1, 1:] - cost[1:, :-1]
    return bool(excess.max() <= 8 * np.finfo(float).eps * np.abs(cost).max())


def _quantiles(p: Weights, q: Weights) -> Inner:
    """The coupling of two laws by their quantiles."""
    ends = np.cumsum(p), np.cumsum(q)
    cuts = np.unique(np.concatenate([ends[0][:-1], ends[1][:-1]]))
    edges = np.concatenate([[0.0], cuts, [max(ends[0][-1], ends[1][-1])]])
    middle = (edges[1:] + edges[:-1]) / 2
    rows, columns = (np.searchsorted(end, middle).clip(0, len(end) - 1) for end in ends)
    return Inner(rows, columns, np.diff(edges), 0.0)
