"""Backward induction with entropic couplings, by the Sinkhorn iteration of the package."""

import jax
import jax.numpy as jnp
import numpy as np

from ..costs import geometry
from ..sinkhorn import solve
from ._induction import Inner, Matrix, Step, Weights, plan_from, single_values

MOST = 20_000
"""Iterations of a coupling."""


def entropic_plan_of(
    costs, first: list[Step], second: list[Step], epsilon: float, tol: float
) -> tuple[Matrix, float]:
    """The plan of two trees that does not look ahead, of least mean cost plus epsilon KL(plan | product);
    and the largest error of a coupling's marginals, infinite if one did not converge.

    The KL of such a plan is the mean sum of those of its couplings, given the pasts: so the induction
    is that of the least cost, with entropic values in place of least ones.
    """
    couplings, error = [], 0.0
    value = np.zeros((len(first[-1].path), len(second[-1].path)))
    for one, other, cost in zip(first[::-1], second[::-1], costs[::-1], strict=True):
        total = cost[np.ix_(one.path, other.path)] + value
        value, rows, columns = single_values(total, one, other)
        found = {}
        for u, mine in enumerate(rows):
            for v, yours in enumerate(columns):
                if len(mine) > 1 and len(yours) > 1:
                    block = total[np.ix_(mine, yours)]
                    inner, value[u, v] = coupled_entropically(
                        block, one.share[mine], other.share[yours], epsilon, tol
                    )
                    error, found[u, v] = max(error, inner.gap), inner
        couplings.append(found)
    return plan_from(first, second, couplings[::-1]), error


def coupled_entropically(
    cost: Matrix, p: Weights, q: Weights, epsilon: float, tol: float
) -> tuple[Inner, float]:
    """The entropic coupling of weights p, q, with the error of its marginals as `gap`; and its value.

    Padded by points of no mass to a power of two each way: few shapes are compiled.
    """
    n, m = (1 << (len(w) - 1).bit_length() for w in (p, q))
    padded = [np.pad(w, (0, size - len(w))) for w, size in ((p, n), (q, m))]
    wide = np.pad(cost, ((0, n - len(p)), (0, m - len(q))))
    found = _solved(*map(jnp.asarray, (wide, *padded, np.float64(epsilon), np.float64(tol))))
    plan, value, off, converged = (np.asarray(part, np.float64) for part in found)
    rows, columns = (axis.ravel() for axis in np.indices(cost.shape))
    mass = plan[: len(p), : len(q)].ravel()
    return Inner(rows, columns, mass, float(off) if converged else np.inf), float(value)


@jax.jit
def _solved(cost, p, q, epsilon, tol):
    solution = solve(
        geometry.Geometry(cost_matrix=cost, epsilon=epsilon), p, q, tol=tol, max_iterations=MOST
    )
    return solution.plan(), solution.value, solution.error, solution.converged
