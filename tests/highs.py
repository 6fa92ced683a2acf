"""Linear programs of transport by SciPy's HiGHS: independent of the network simplex of the package."""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog


def highs_plan(a, b, cost):
    """The least plan [n, m] of masses a, b, from constraints that are held to 1e-10."""
    a, b, cost = (np.asarray(z, float) for z in (a, b, cost))
    n, m = cost.shape
    rows = sp.kron(sp.eye_array(n), np.ones((1, m)))
    columns = sp.kron(np.ones((1, n)), sp.eye_array(m))
    constraints = sp.csc_array(sp.vstack([rows, columns]).tocsr()[:-1])
    masses = max(n, m) * np.concatenate([a / a.sum(), b / b.sum()])[:-1]
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    scale = np.abs(cost).max() or 1.0
    found = linprog(
        cost.ravel() / scale, A_eq=constraints, b_eq=masses, method="highs-ds", options=tight
    )
    assert found.status == 0
    return found.x.reshape(n, m) / max(n, m)


def highs_cost(a, b, cost):
    """What the least plan costs."""
    return (highs_plan(a, b, cost) * np.asarray(cost)).sum()


def square_distances(x, y):
    """|x_i - y_j|^2."""
    x, y = np.asarray(x), np.asarray(y)
    return ((x[:, None] - y) ** 2).sum(axis=-1)
