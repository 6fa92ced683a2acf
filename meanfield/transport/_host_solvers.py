import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float, Int
from scipy.optimize import linear_sum_assignment, linprog

from .._typing import Weights
from ._coupling import Coupling


def assign(cost: Float[Array, "n n"]) -> Coupling:
    """The permutation of least mean cost, by scipy's Jonker-Volgenant algorithm, O(n^3) at worst.

    Under jit it runs in a callback on the host, one problem after the other under vmap. It is not
    differentiated.
    """
    n = cost.shape[0]
    shape = jax.ShapeDtypeStruct((n,), np.int32)
    columns = _on_host(_assign, shape, cost)
    mass = jnp.where(jnp.isfinite(cost).all(), jnp.full(n, 1 / n, cost.dtype), jnp.nan)
    return Coupling(jnp.arange(n, dtype=np.int32), columns, mass, (n, n))


def solve_linear_program(cost: Float[Array, "n m"], a: Weights, b: Float[Array, " m"]) -> Coupling:
    """The coupling of least cost of any weights, a vertex of the polytope, by scipy's HiGHS.

    min <P, C> over P >= 0 with row sums a and column sums b; f_i + g_j <= C_ij are the dual
    potentials. Dual simplex takes .06, .4 and 2 s for n = m = 100, 200, 400. Under jit it runs in a
    callback on the host. It is not differentiated.
    """
    (n, m), dtype = cost.shape, cost.dtype
    pairs = n + m - 1
    shapes = (
        jax.ShapeDtypeStruct((2, pairs), np.int32),
        jax.ShapeDtypeStruct((pairs,), dtype),
        jax.ShapeDtypeStruct((n,), dtype),
        jax.ShapeDtypeStruct((m,), dtype),
        jax.ShapeDtypeStruct((), np.int32),
    )
    at, mass, f, g, steps = _on_host(_solve, shapes, cost, a, b)
    return Coupling(at[0], at[1], mass, (n, m), (f, g), steps)


def _on_host(function, shapes, *arrays):
    arrays = jax.lax.stop_gradient(arrays)
    return jax.pure_callback(function, shapes, *arrays, vmap_method="sequential")


def _assign(cost) -> Int[np.ndarray, " n"]:
    cost = np.asarray(cost, np.float64)
    if not np.isfinite(cost).all():
        return np.arange(cost.shape[0], dtype=np.int32)
    return linear_sum_assignment(cost)[1].astype(np.int32)


def _solve(cost, a, b):
    dtype = np.asarray(cost).dtype
    cost, a, b = (np.asarray(z, np.float64) for z in (cost, a, b))
    (n, m), pairs = cost.shape, sum(cost.shape) - 1
    unit = np.abs(cost).max() or 1.0
    # One of the n + m constraints follows from the others, up to rounding: leave out the last one.
    rows = sp.kron(sp.eye_array(n), np.ones((1, m)))
    columns = sp.kron(np.ones((1, n)), sp.eye_array(m))
    constraints = sp.csr_array(sp.vstack([rows, columns]).tocsr()[:-1])
    # In units where masses are about 1, so that HiGHS's absolute tolerances are relative ones.
    right = max(n, m) * np.concatenate([a / a.sum(), b / b.sum()])[:-1]
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    if not (math.isfinite(unit) and np.isfinite(right).all()):
        return _failed(n, m, dtype)
    found = linprog(
        cost.ravel() / unit, A_eq=constraints, b_eq=right, method="highs-ds", options=tight
    )
    if found.status != 0:
        return _failed(n, m, dtype)
    at = np.argsort(-found.x, kind="stable")[:pairs]
    dual = unit * np.append(found.eqlin.marginals, 0.0)
    mass = found.x[at] / max(n, m)
    indices = np.stack(np.unravel_index(at, (n, m))).astype(np.int32)
    return (
        indices,
        mass.astype(dtype),
        dual[:n].astype(dtype),
        dual[n:].astype(dtype),
        np.int32(found.nit),
    )


def _failed(n: int, m: int, dtype):
    pairs, (f, g) = np.full(n + m - 1, np.nan, dtype), (np.zeros(n, dtype), np.zeros(m, dtype))
    return np.zeros((2, n + m - 1), np.int32), pairs, f, g, np.int32(0)
