import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..._checks import check_finite, check_known, check_points, check_positive, tolerance
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ..costs import (
    AbstractCost,
    Cost,
    SquaredEuclidean,
    as_cost,
    check_dense,
    root,
    unit_of,
    weights_or_uniform,
)
from ._entropic import entropic_plan_of
from ._induction import plan_of, tree_of

INNER = 0.01
"""The error of an entropic coupling's marginals, in units of that of a whole plan: plans have many."""


class AdaptedTransport(AbstractShown):
    """What `adapted_wasserstein` found.

    - `value`: the distance, the root of `cost`; `float(...)` of the whole is this number. `steps` [T]:
      the parts of the cost that each time has.
    - `error`: the sum of the absolute errors of the plan's marginals, and the largest part of a cost by
      which one of the couplings may exceed the least one; `converged`: whether that is rounding; `reason`:
      why entropic couplings were not found, and what to do.
    """

    value: Scalar
    cost: Scalar
    steps: Float[Array, " t"]
    error: Scalar
    converged: Bool[Array, ""]
    matrix: Float[Array, "n m"]
    reason: str = eqx.field(static=True, default="")

    def plan(self) -> Float[Array, "n m"]:
        """The bicausal plan [n, m] between paths: row sums a, column sums b."""
        return self.matrix

    def __float__(self) -> float:
        return float(self.value)


@door
def adapted_wasserstein(
    x: ArrayLike,
    y: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    cost: Cost | None = None,
    epsilon: Scalar | float | None = None,
) -> AdaptedTransport:
    """The adapted (bicausal, nested) Wasserstein distance AW2 between two laws of sequences.

        AW2^2 = min_P E_P sum_t c(x_t, y_t)

    over couplings P of the laws that do not look ahead: given the past of x, that of y says no more of
    what x does next, and the other way around. W2 takes laws for close whose paths are; AW2 does not
    where one of them knows its future early: a step of +-eps that announces the next one, +-1, is at
    W2^2 = eps^2 and AW2^2 = eps^2 + 2 from steps that announce nothing.

    - `x` [n, T, d], `y` [m, T, d]: paths, of hidden states over positions, say; [n, T] on the line.
      `a` [n], `b` [m]: masses of sum 1, uniform by default. Paths share a past where its numbers are
      equal: round what is sampled from densities by `adapted_empirical`.
    - `cost`: SquaredEuclidean() by default, SquaredGeodesic(), any cost of ott, or a function.
    - `epsilon`: each transport problem is entropic instead, by Sinkhorn's iteration; the plan is then that
      of least E sum_t c + epsilon KL(P | product) among those that do not look ahead, and `cost` its mean
      cost: above the least one by epsilon sum_t log(branches) at most, and far less as epsilon -> 0. For
      pasts with hundreds of continuations, where exact ones take long. Outside of jit, without derivatives.

    By backward induction over pairs of pasts, each an exact transport problem (quantiles where the cost
    is Monge, an assignment or a linear program): n m T numbers, and as many problems as pairs of
    pasts that branch. Runs on the host, under jit by a callback. It is differentiable in the paths at
    the fixed plan, as long as no past splits; derivatives in masses are NaN.

    Raises ValueError for shapes, weights and points that do not fit.
    Source: Pflug and Pichler (2012), doi:10.1137/110825054; Backhoff, Bartl, Beiglboeck, Eder, arXiv
    1905.11182.
    """
    if epsilon is None:
        return _transport(x, y, a, b, as_cost(cost), monotone=False)
    epsilon = check_positive(epsilon, "epsilon", "leave it out for exact couplings")
    check_known((x, y, a, b, epsilon), "paths, masses and epsilon", "leave epsilon out under jit")
    return _transport(x, y, a, b, as_cost(cost), monotone=False, epsilon=float(epsilon))


@door
def knothe_rosenblatt(
    x: ArrayLike, y: ArrayLike, a: ArrayLike | None = None, b: ArrayLike | None = None
) -> AdaptedTransport:
    """The Knothe-Rosenblatt coupling of two laws of sequences on the line, and its mean |x - y|^2.

    Each step is coupled by quantiles given the pasts: it does not look ahead, so that `value` >= AW2.

    - `x` [n, T], `y` [m, T]: paths on the line; `a` [n], `b` [m]: their masses, uniform by default.

    Raises ValueError as `adapted_wasserstein` does, and for d > 1. Source: Rosenblatt (1952),
    doi:10.1214/aoms/1177729394; Backhoff, Bartl, Beiglboeck, Eder, arXiv 1905.11182.
    """
    return _transport(x, y, a, b, SquaredEuclidean(), monotone=True)


def _transport(x, y, a, b, cost, monotone: bool, epsilon: float | None = None) -> AdaptedTransport:
    x, y = _paths(x, cost, "x"), _paths(y, cost, "y")
    if x.shape[1:] != y.shape[1:] or x.dtype != y.dtype:
        raise ValueError(
            f"expected paths of one length, dimension and dtype, got {list(x.shape)} {x.dtype} and "
            f"{list(y.shape)} {y.dtype}; cut the longer ones or cast with .astype."
        )
    if monotone and x.shape[2] != 1:
        raise ValueError(
            f"expected steps on the line for quantiles, got them in R^{x.shape[2]}; "
            "use adapted_wasserstein."
        )
    check_dense(x.shape[0] * x.shape[1], y.shape[0], x.dtype.itemsize)
    a = weights_or_uniform(a, x.shape[0], x.dtype, "a")
    b = weights_or_uniform(b, y.shape[0], y.dtype, "b")
    unit = unit_of(x.reshape(len(x), -1), y.reshape(len(y), -1), a, b, cost)
    x, y = x / unit, y / unit
    if epsilon is None:
        return _in_unit(_measured(x, y, a, b, cost, monotone), unit)
    scale = float(unit)
    costs = np.asarray(jax.vmap(cost.all_pairs, in_axes=1)(x, y))
    plan, gap = _on_host(monotone, costs, x, y, a, b, epsilon / scale / scale)
    found = _of_plan(jnp.asarray(costs), jnp.asarray(plan), jnp.asarray(gap), a, b)
    found = _in_unit(found, unit)
    return found if found.converged else _told(found, epsilon, float(costs.mean()) * scale * scale)


def _in_unit(found: AdaptedTransport, unit: Scalar) -> AdaptedTransport:
    """The result for paths that were divided by `unit`, in their own scale."""
    value, square = unit * found.value, unit**2
    return dataclasses.replace(
        found, value=value, cost=square * found.cost, steps=square * found.steps
    )


def _told(found: AdaptedTransport, epsilon: float, size: float) -> AdaptedTransport:
    """The result with a sentence on what failed."""
    reason = (
        f"Sinkhorn's iteration did not converge at epsilon={epsilon:.3g}, where costs are about {size:.3g}; "
        f"pass epsilon={size / 5:.2g} or more, or leave epsilon out for exact couplings."
    )
    return dataclasses.replace(found, reason=reason)


@eqx.filter_jit
def _measured(x, y, a, b, cost, monotone: bool) -> AdaptedTransport:
    costs = jax.vmap(cost.all_pairs, in_axes=1)(x, y)
    plan, gap = _plan(*jax.lax.stop_gradient((costs, x, y)), a, b, monotone)
    return _of_plan(costs, plan, gap, a, b)


def _of_plan(costs, plan, gap, a, b) -> AdaptedTransport:
    steps = jnp.einsum("tnm,nm->t", costs, plan)
    off = jnp.abs(plan.sum(axis=1) - a).sum() + jnp.abs(plan.sum(axis=0) - b).sum()
    error = jax.lax.stop_gradient(off + gap)
    total = steps.sum()
    converged = (error <= max(tolerance(plan.dtype), 1e-9)) & jnp.isfinite(total)
    return AdaptedTransport(root(total), total, steps, error, converged, plan)


@functools.partial(jax.custom_jvp, nondiff_argnums=(5,))
def _plan(costs, x, y, a, b, monotone: bool):
    """The plan, and the gap, from the host."""
    shapes = jax.ShapeDtypeStruct(costs.shape[1:], x.dtype), jax.ShapeDtypeStruct((), x.dtype)
    solve = functools.partial(_on_host, monotone)
    return jax.pure_callback(solve, shapes, costs, x, y, a, b, vmap_method="sequential")


@functools.partial(_plan.defjvp, symbolic_zeros=True)
def _plan_jvp(monotone, primals, tangents):
    out = _plan(*primals, monotone)
    # Masses move the plan, which nothing here follows.
    moved = [t.sum() for t in tangents[3:] if not isinstance(t, SymbolicZero)]
    slope = jnp.nan * sum(moved) if moved else jnp.zeros((), out[1].dtype)
    return out, jax.tree.map(lambda leaf: jnp.broadcast_to(slope, leaf.shape), out)


def _on_host(monotone: bool, costs, x, y, a, b, epsilon: float | None = None):
    dtype = np.asarray(costs).dtype
    costs, x, y, a, b = (np.asarray(z, np.float64) for z in (costs, x, y, a, b))
    here, there = np.flatnonzero(a > 0), np.flatnonzero(b > 0)
    plan = np.full(costs.shape[1:], np.nan)
    costs_here = costs[:, here][:, :, there]
    if not all(np.isfinite(z).all() for z in (x[here], y[there], a, b, costs_here)):
        return plan.astype(dtype), np.asarray(np.nan, dtype)
    sides = [(x[here], a[here]), (y[there], b[there])]
    (first, mine), (second, yours) = (tree_of(paths, mass) for paths, mass in sides)
    if epsilon is None:
        ends, gap = plan_of(costs_here, first, second, monotone)
    else:
        ends, gap = entropic_plan_of(
            costs_here, first, second, epsilon, INNER * max(tolerance(dtype), 1e-9)
        )
    shares = [
        mass / np.bincount(label, weights=mass)[label]
        for label, (_, mass) in zip((mine, yours), sides, strict=True)
    ]
    plan = np.zeros(costs.shape[1:])
    plan[np.ix_(here, there)] = (
        a[here].sum() * ends[np.ix_(mine, yours)] * shares[0][:, None] * shares[1]
    )
    return plan.astype(dtype), np.asarray(gap, dtype)


def _paths(x, cost: Any, name: str) -> Float[Array, "n t d"]:
    """`x` as paths [n, T, d] on which the cost is defined."""
    x = check_finite(x, name)
    x = x[..., None] if x.ndim == 2 else x
    if x.ndim != 3 or x.size == 0:
        raise ValueError(
            f"expected {name} of shape [n, T, d], got {list(x.shape)}; put one path a row, [n, T] on "
            "the line."
        )
    flat = x.reshape(-1, x.shape[-1])
    flat = (
        cost.check(flat, name)
        if isinstance(cost, AbstractCost)
        else check_points(flat, x.shape[-1], name)
    )
    return flat.reshape(x.shape)
