import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._checks import check_finite, check_integer, guard, tolerance
from ..._door import door
from ..._typing import Scalar
from ..costs import Cost, as_cost, root, weights_or_uniform
from ._induction import coupled


@door
def adapted_chains(
    x: Float[Array, "n d"],
    linear1: Float[Array, "n n"],
    y: Float[Array, "m d"],
    linear2: Float[Array, "m m"],
    steps: int,
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    cost: Cost | None = None,
) -> Scalar:
    """The adapted distance AW2 between two Markov chains, over so many times.

        V_T = 0,    V_{t-1}(i, j) = min E [c(x_k, y_l) + V_t(k, l)],    k ~ P_i,  l ~ Q_j

    `adapted_wasserstein` of their paths, by states in place of pasts: T n m problems of transport.

    - `x` [n, d], `y` [m, d]: what the states stand for. `linear1` [n, n], `linear2` [m, m]: the
      matrices P, Q of transition, whose rows sum to 1. `a`, `b`: the laws of the first state, uniform
      by default.
    - `steps`: the number T of times, with the first. `cost`: as in `adapted_wasserstein`.

    It is not differentiated: derivatives are NaN. Raises ValueError for matrices that are no transitions,
    and for shapes and weights that do not fit. Source: Pflug and Pichler (2012), doi:10.1137/110825054.
    """
    x, y = check_finite(x, "x"), check_finite(y, "y")
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"expected states in one space, got R^{x.shape[1]} and R^{y.shape[1]}; drop columns."
        )
    rates = _transitions(linear1, len(x), "linear1"), _transitions(linear2, len(y), "linear2")
    laws = weights_or_uniform(a, len(x), x.dtype, "a"), weights_or_uniform(b, len(y), x.dtype, "b")
    costs = as_cost(cost).all_pairs(x, y)
    return _distance(costs, *rates, *laws, check_integer(steps, "steps"))


@functools.partial(jax.jit, static_argnums=5)
def _distance(costs, p, q, a, b, steps: int) -> Scalar:
    return root(_least(costs, p, q, a, b, steps))


@functools.partial(jax.custom_jvp, nondiff_argnums=(5,))
def _least(costs, p, q, a, b, steps: int) -> Scalar:
    solve = functools.partial(_on_host, steps)
    shape = jax.ShapeDtypeStruct((), costs.dtype)
    return jax.pure_callback(solve, shape, costs, p, q, a, b, vmap_method="sequential")


@_least.defjvp
def _least_jvp(steps, primals, tangents):
    out = _least(*primals, steps)
    return out, jnp.nan * sum(t.sum() for t in tangents)


def _on_host(steps: int, costs, p, q, a, b):
    dtype = np.asarray(costs).dtype
    costs, p, q, a, b = (np.asarray(z, np.float64) for z in (costs, p, q, a, b))
    if not all(np.isfinite(z).all() for z in (costs, p, q, a, b)):
        return np.asarray(np.nan, dtype)
    value = costs
    for _ in range(steps - 1):
        value = costs + np.array([[_mean(value, i, j) for j in q] for i in p])
    return np.asarray(_mean(value, a, b), dtype)


def _mean(cost, p, q) -> float:
    """The least mean cost between two laws of states."""
    rows, columns = np.flatnonzero(p > 0), np.flatnonzero(q > 0)
    cost, p, q = cost[np.ix_(rows, columns)], p[rows], q[columns]
    if 1 in cost.shape:
        return float(p @ cost @ q)
    found = coupled(cost, p, q)
    return float(found.mass @ cost[found.rows, found.columns]) if np.isfinite(found.gap) else np.nan


def _transitions(matrix, n: int, name: str) -> Float[Array, "n n"]:
    """`matrix`, if its rows are n laws of n states; NaN where it is traced and they are not."""
    matrix = check_finite(matrix, name)
    if matrix.shape != (n, n):
        raise ValueError(
            f"expected {name} of shape {[n, n]} for {n} states, got {list(matrix.shape)}; "
            "pass a row a state."
        )
    fits = (matrix >= 0).all() & (jnp.abs(matrix.sum(axis=1) - 1).max() <= tolerance(matrix.dtype))
    guard(matrix, fits, f"expected rows of {name} >= 0 and of sum 1; divide each by its sum.")
    return jnp.where(fits, matrix, jnp.nan)
