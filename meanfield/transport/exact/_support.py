"""Whether masses have a plan that is positive on the allowed pairs, and none elsewhere."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float
from scipy.sparse.csgraph import breadth_first_order, connected_components

from ._linear_program import least_plan

LARGEST = 250_000
"""Pairs of points up to which a linear program is solved for the answer: some seconds."""

Masses = Float[np.ndarray, " _"]


def why_no_triangular_plan(a: Masses, b: Masses, margin: float) -> str | None:
    """Why no plan of masses a, b is positive for j <= i and 0 elsewhere; None if there is one.

    It needs b_1 + ... + b_k > a_1 + ... + a_k for every k < n, and no less where no mass is beyond.
    """
    need, have = np.cumsum(a), np.cumsum(b)
    total = need[-1]
    apart = (have > margin * total) & (need < (1 - margin) * total)
    short = have - need < np.where(apart, margin, -margin) * total
    if not short.any():
        return None
    n, k = len(a), int(np.argmax(short)) + 1
    if np.allclose(a, b, rtol=0, atol=margin):
        return "equal rows and columns, which lower-triangular weights have as the identity alone"
    if k == n:
        return f"columns of sum {n * have[-1]:.6g} for rows of sum {n * total:.6g}"
    return (
        f"the first {k} of sum {n * have[k - 1]:.6g}, which must be more than {n * need[k - 1]:.6g}, "
        "the sum of the rows that see them alone"
    )


def why_no_plan(
    allowed: Bool[np.ndarray, "n m"], a: Masses, b: Masses, margin: float
) -> str | None:
    """Why no plan of masses a, b is positive on the allowed pairs and 0 elsewhere; None if there is one,
    or if there are too many pairs to say.

    A linear program finds the plan that sends the least mass over other pairs. If that is none, mass
    can be turned around along cycles of its residual graph: a pair can have mass if it has, or if
    its ends lie on a cycle. Source: Menon (1968), doi:10.1007/BF01110212, for the condition.
    """
    rows, columns = np.flatnonzero(a > 0), np.flatnonzero(b > 0)
    inner = allowed[np.ix_(rows, columns)]
    if inner.size > LARGEST or inner.all():
        return None
    found = least_plan(np.where(inner, 0.0, 1.0), a[rows], b[columns], margin)
    if found is None:
        return None
    plan = np.zeros(inner.shape)
    np.add.at(plan, tuple(found.at), found.mass)
    if plan[~inner].sum() > margin:
        keys = found.g > found.g.min() + 0.5
        return _crowded(inner, keys, a[rows], b[columns], columns)
    return _closed(inner, plan > margin / plan.size, columns)


def _crowded(allowed, keys, a, b, names) -> str:
    """Keys that draw more than all queries have that see them."""
    seeing = allowed[:, keys].any(axis=1)
    return (
        f"columns {_listed(names[keys])} of sum {len(a) * b[keys].sum():.6g}, while the queries that "
        f"see any of them have {len(a) * a[seeing].sum():.6g} in all"
    )


def _closed(allowed, used, names) -> str | None:
    """Keys whose columns some queries need for themselves, so that others that see them get none."""
    n, m = allowed.shape
    i, j = np.nonzero(allowed)
    k, h = np.nonzero(used & allowed)
    edges = np.concatenate([i, n + h]), np.concatenate([n + j, k])
    graph = sp.csr_array((np.ones(len(edges[0])), edges), shape=(n + m, n + m))
    part = connected_components(graph, connection="strong")[1]
    apart = np.flatnonzero(part[i] != part[n + j])
    if len(apart) == 0:
        return None
    reached = breadth_first_order(graph, n + j[apart[0]], return_predecessors=False)
    keys = np.sort(reached[reached >= n] - n)
    return (
        f"columns {_listed(names[keys])} that the queries which see nothing else need for "
        "themselves, so that others which see them would get none"
    )


def _listed(numbers) -> str:
    """The first few of these numbers."""
    few = ", ".join(str(int(k)) for k in numbers[:6])
    return few if len(numbers) <= 6 else f"{few}, ... ({len(numbers)} in all)"
