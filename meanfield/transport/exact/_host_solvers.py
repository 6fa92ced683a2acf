from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._known import all_known
from ..._typing import Weights
from ..costs import Coupling
from ._assignment import assignment_at, least_assignment
from ._linear_program import least_plan


def assign(cost: Float[Array, "n n"]) -> Coupling:
    """The permutation of least mean cost, by scipy's Jonker-Volgenant algorithm, O(n^3) at worst.

    Under jit it runs in a callback on the host, one problem after the other under vmap. It is not
    differentiated.
    """
    n = cost.shape[0]
    shapes = jax.ShapeDtypeStruct((n,), np.int32), jax.ShapeDtypeStruct((), cost.dtype)
    columns, gap = _on_host(_assign, shapes, cost)
    mass = jnp.where(jnp.isfinite(cost).all(), jnp.full(n, 1 / n, cost.dtype), jnp.nan)
    return Coupling(jnp.arange(n, dtype=np.int32), columns, mass, (n, n), gap=gap)


def solve_linear_program(cost: Float[Array, "n m"], a: Weights, b: Float[Array, " m"]) -> Coupling:
    """The coupling of least cost of any weights, a vertex of the polytope, by POT's network simplex.

    min <P, C> over P >= 0 with row sums a and column sums b; f_i + g_j <= C_ij are the dual
    potentials. Under jit it runs in a callback on the host. It is not differentiated.
    """
    (n, m), dtype = cost.shape, cost.dtype
    pairs = n + m - 1
    shapes = (
        jax.ShapeDtypeStruct((2, pairs), np.int32),
        jax.ShapeDtypeStruct((pairs,), dtype),
        jax.ShapeDtypeStruct((n,), dtype),
        jax.ShapeDtypeStruct((m,), dtype),
        jax.ShapeDtypeStruct((), np.int32),
        jax.ShapeDtypeStruct((), dtype),
    )
    at, mass, f, g, steps, gap = _on_host(_solve, shapes, cost, a, b)
    return Coupling(at[0], at[1], mass, (n, m), (f, g), steps, gap)


def least_plans(
    costs: Float[Array, "models n m"],
    a: Weights,
    b: Float[Array, "models m"],
    prices: Float[Array, "models m"],
) -> tuple[Float[Array, "models n m"], Float[Array, "models m"], Float[Array, " models"]]:
    """Plans of least cost of one cloud with each of several, prices of their points, and gaps.

    Of as many equal points the plans are assignments, found from prices near their own, which may be
    any; else linear programs, which leave prices as they are. Under jit it runs in a callback on
    the host. It is not differentiated.
    """
    shapes = [jax.ShapeDtypeStruct(z.shape, z.dtype) for z in (costs, prices, b[:, 0])]
    return tuple(_on_host(_plans, tuple(shapes), costs, a, b, prices))


def _on_host(function, shapes, *arrays) -> Any:
    arrays = jax.lax.stop_gradient(arrays)
    if all_known(arrays):  # they may lie on several devices, which an eager callback cannot gather
        return tuple(map(jnp.asarray, function(*map(np.asarray, arrays))))
    return jax.pure_callback(function, shapes, *arrays, vmap_method="sequential")


def _assign(cost):
    dtype, cost = np.asarray(cost).dtype, np.asarray(cost, np.float64)
    if not np.isfinite(cost).all():
        return np.arange(cost.shape[0], dtype=np.int32), np.asarray(np.nan, dtype)
    columns, gap = least_assignment(cost)
    return columns.astype(np.int32), np.asarray(gap, dtype)


def _plans(costs, a, b, prices):
    costs, a, b, prices = (np.asarray(z) for z in (costs, a, b, prices))
    found = [_plan(cost, a, *own) for cost, *own in zip(costs, b, prices, strict=True)]
    return tuple(np.stack(part).astype(costs.dtype) for part in zip(*found, strict=True))


def _plan(cost, a, b, prices):
    plan, enough = np.zeros(cost.shape), 4 * np.finfo(cost.dtype).eps
    masses = np.concatenate([a, b])
    if len(a) == len(b) and np.ptp(masses) <= enough * masses.max() and np.isfinite(cost).all():
        columns, gap, prices = assignment_at(cost.astype(float), np.asarray(prices, float))
        plan[np.arange(len(a)), columns] = a
        return plan, prices, gap
    at, mass, *_, gap = _solve(cost, a, b)
    np.add.at(plan, tuple(at), mass)
    return plan, prices, gap


def _solve(cost, a, b):
    dtype = np.asarray(cost).dtype
    cost, a, b = (np.asarray(z, np.float64) for z in (cost, a, b))
    (n, m), pairs = cost.shape, sum(cost.shape) - 1
    rows, columns = np.flatnonzero(a > 0), np.flatnonzero(b > 0)
    whole = (len(rows), len(columns)) == cost.shape
    inner = cost if whole else cost[np.ix_(rows, columns)]
    found = None
    if rows.size and columns.size and all(np.isfinite(z).all() for z in (inner, a, b)):
        found = least_plan(inner, a[rows], b[columns], float(np.finfo(dtype).eps))
    at, mass = np.zeros((2, pairs), np.int32), np.full(pairs, np.nan)
    f, g, steps, gap = np.zeros(n), np.zeros(m), 0, np.nan
    if found is not None:
        k, heaviest = found.mass.size, found.mass.argmax()
        pair = np.stack([rows[found.at[0]], columns[found.at[1]]])
        at[:], at[:, :k] = pair[:, [heaviest]], pair
        mass = np.pad(found.mass, (0, pairs - k))
        f, g = _everywhere(cost, rows, columns, found.f, found.g)
        steps, gap = found.steps, found.gap
    return (
        at,
        *(np.asarray(z, dtype) for z in (mass, f, g)),
        np.int32(steps),
        np.asarray(gap, dtype),
    )


def _everywhere(cost, rows, columns, f, g):
    """The potentials at points without mass too: as large as f_i + g_j <= c_ij leaves them."""
    n, m = cost.shape
    all_f, all_g = np.zeros(n), np.zeros(m)
    all_g[columns] = g
    others = np.delete(np.arange(n), rows)
    all_f[rows], all_f[others] = f, (cost[np.ix_(others, columns)] - g).min(axis=1)
    others = np.delete(np.arange(m), columns)
    all_g[others] = (cost[:, others] - all_f[:, None]).min(axis=0)
    return np.nan_to_num(all_f, posinf=0.0), np.nan_to_num(all_g, posinf=0.0)
