import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from equinox.internal import nondifferentiable
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_integer, check_positive, tolerance
from ..._door import door
from ..._memory import rows_at_once
from ..._shown import AbstractShown
from ..._typing import Scalar, Weights
from ..costs import (
    Cost,
    as_cost,
    check_dense,
    geometry as ott_geometry,
    linear_problem,
    quadratic,
    quadratic_problem,
    root,
    sinkhorn,
    unit_of,
    weights_or_uniform,
)
from ..exact import solve_linear_program
from ._wasserstein import LARGEST_PROGRAM, check_cloud

_NO_GRADIENT = "expected no derivative by the masses of gromov_wasserstein; take it by positions."
_ROUNDS = 20
"""Linear programs at most that make a plan better; two or three are usual."""
_LEVELS = 256
"""Quantiles by which laws of distances are compared, which is where plans start."""
_ROUGH = 1e-3
"""The tolerance of plans from which linear programs start: a finer one costs seven times as much, and ends
as low."""


class Matching(AbstractShown):
    """What `gromov_wasserstein` found.

    - `value`: the root of `cost`; `cost`: sum_ijkl P_ij P_kl (d_ik - d'_jl)^2 of the plan, an upper bound
      of the least one. `plan` [n, m]: which point corresponds to which.
    - `converged`: whether no plan is better to first order, and the marginals are right, to the
      tolerance: a stationary plan. No test tells the least one from others; more `starts` may find a
      lower one. `error`: the larger of these two, the first relative to the cost of independent clouds.
    - `iterations`: of ott's solver from the best start, and linear programs.
    """

    value: Scalar
    cost: Scalar
    error: Scalar
    converged: Bool[Array, ""]
    iterations: Int[Array, ""]
    plan: Float[Array, "n m"]

    def __float__(self) -> float:
        return float(self.value)


class _Spaces(NamedTuple):
    """Two clouds as their distances alone, with masses; `unit` is the cost of the product of a and b."""

    first: Float[Array, "n n"]
    second: Float[Array, "m m"]
    a: Weights
    b: Float[Array, " m"]

    def slope(self, plan: Float[Array, "n m"]) -> Float[Array, "n m"]:
        """sum_kl (d_ik - d'_jl)^2 P_kl: half the derivative of the cost."""
        here = self.first**2 @ plan.sum(axis=1)
        there = self.second**2 @ plan.sum(axis=0)
        return here[:, None] + there - 2 * self.first @ plan @ self.second

    def cost(self, plan: Float[Array, "n m"]) -> Scalar:
        return jnp.maximum(jnp.sum(plan * self.slope(plan)), 0)


@door
def gromov_wasserstein(
    x: ArrayLike,
    y: ArrayLike,
    a: ArrayLike | None = None,
    b: ArrayLike | None = None,
    cost: Cost | None = None,
    *,
    relative_epsilon: Scalar | float = 0.01,
    starts: int = 4,
    tol: Scalar | float = 1e-6,
    max_iterations: int = 100,
) -> Matching:
    """The Gromov-Wasserstein distance of two weighted clouds, which need share no space and no dimension.

        GW^2 = min_P sum_ijkl P_ij P_kl (d(x_i, x_k) - d'(y_j, y_l))^2,    P with row sums a, column sums b

    0 for clouds that are rotated, moved or renumbered: layers or models of different width compare. Two
    points each, at distances r and s, of equal masses: GW^2 = (r - s)^2/2.

    - `x` [n, d], `y` [m, e]; `a`, `b`: masses of sum 1, uniform by default. `cost`: whose root is the
      distance in each cloud, Euclidean by default; `SquaredGeodesic()` for tokens on spheres.
    - `relative_epsilon`: the entropic regularization of ott's solver, in units of the cost of the product
      plan. Linear programs then take the plan to a stationary one without regularization, up to
      1,000,000 pairs of points; beyond, the blur stays in the cost and `converged` is about the solver.
    - `starts`: the problem has many local minima: the first start matches the laws of distances from each
      point, others mix in fixed random costs, more and more; the lowest is kept.
    - `tol`: of marginals and of stationarity, raised to what the precision allows.
      `max_iterations`: of the solver.

    Cost O(starts n m (n + m)) an iteration. Derivatives by positions are those of the cost of the plan,
    which is stationary; those by masses raise an error. Raises ValueError for clouds and
    masses that do not fit. Source: Memoli, Found. Comput. Math. 11 (2011) 417, doi:10.1007/s10208-011-9093-5;
    Peyre, Cuturi, Solomon, ICML 2016, for the solver.
    """
    cost, starts = as_cost(cost), check_integer(starts, "starts")
    x, y = check_cloud(x, cost, "x"), check_cloud(y, cost, "y")
    if x.dtype != y.dtype:
        raise ValueError(
            f"expected clouds of one dtype, got {x.dtype} and {y.dtype}; cast one with .astype."
        )
    check_dense(max(len(x), len(y)), max(len(x), len(y)), x.dtype.itemsize)
    a = weights_or_uniform(a, len(x), x.dtype, "a")
    b = weights_or_uniform(b, len(y), y.dtype, "b")
    epsilon = check_positive(relative_epsilon, "relative_epsilon").astype(x.dtype)
    tol = jnp.maximum(check_positive(tol, "tol").astype(x.dtype), tolerance(x.dtype))
    max_iterations = check_integer(max_iterations, "max_iterations")
    a, b = nondifferentiable((a, b), msg=_NO_GRADIENT)
    unit = jnp.maximum(unit_of(x, x, a, a, cost), unit_of(y, y, b, b, cost))
    return _found(
        x, y, a, b, cost, jax.lax.stop_gradient((unit, epsilon, tol)), starts, max_iterations
    )


@eqx.filter_jit
def _found(x, y, a, b, cost, numbers, starts: int, max_iterations: int) -> Matching:
    unit, epsilon, tol = numbers
    first, second = (_roots(cost.all_pairs(z / unit, z / unit)) for z in (x, y))
    spaces = _Spaces(first, second, a, b)
    found = _matched(jax.lax.stop_gradient(spaces), epsilon, tol, starts, max_iterations)
    # The plan is stationary: to first order the cost changes as if it stayed.
    least = spaces.cost(found.plan)
    return dataclasses.replace(found, value=unit * root(least), cost=unit**2 * least)


_roots = jax.vmap(jax.vmap(root))


def _matched(spaces: _Spaces, epsilon, tol, starts: int, max_iterations: int) -> Matching:
    product = jnp.outer(spaces.a, spaces.b)
    size = spaces.cost(product)
    unit, known = jnp.where(size > 0, size, 1), _profiles(spaces)

    def attempt(number):
        start = _start(spaces, known, number, jnp.asarray(number / starts, product.dtype), unit)
        alone = product.size > LARGEST_PROGRAM
        fine = tol if alone else jnp.maximum(tol, _ROUGH)
        plan, done, count = _entropic(spaces, start, epsilon * unit, fine, max_iterations)
        if alone:
            return spaces.cost(plan), plan, jnp.zeros((), plan.dtype), done, count
        # Entropy leads different starts to one plan: each is polished without it as well.
        vertex = solve_linear_program(start, spaces.a, spaces.b).plan()
        both = jnp.stack([_with_marginals(plan, spaces), vertex])
        ends = jax.lax.map(lambda plan: _polished(spaces, plan, tol * unit), both)
        costs = jax.vmap(spaces.cost)(ends[0])
        best = jnp.argmin(costs)
        plan, gap, more = (z[best] for z in ends)
        return costs[best], plan, gap / unit, jnp.asarray(True), count + more

    costs, *found = jax.lax.map(attempt, jnp.arange(starts))
    best = jnp.argmin(jnp.where(jnp.isfinite(costs), costs, jnp.inf))
    plan, gap, done, count = (z[best] for z in found)
    off = jnp.abs(plan.sum(axis=1) - spaces.a).sum() + jnp.abs(plan.sum(axis=0) - spaces.b).sum()
    error, total = jnp.maximum(off, gap), costs[best]
    converged = (error <= tol) & jnp.isfinite(total) & done
    return Matching(root(total), total, error, converged, count, plan)


def _start(
    spaces: _Spaces, known: Float[Array, "n m"], number, share: Scalar, unit: Scalar
) -> Float[Array, "n m"]:
    """Costs whose plan is where to start: those that are `known`, and `share` of fixed random products.

    Products of a few numbers of each point, so that points of no mass change no other. A trace of them is
    always there: where all points look alike, such as two, the product plan is stationary, and a saddle.
    """
    keys = jax.random.split(jax.random.fold_in(jax.random.key(0), number))
    first, second = (_drawn(*z) for z in zip(keys, (spaces.a, spaces.b), strict=True))
    mixed = first @ second.T
    return (1 - share) * known + jnp.maximum(share, 1e-2) * unit * mixed


def _profiles(spaces: _Spaces) -> Float[Array, "n m"]:
    """W2^2 between the laws of the distances from each point: 0 for points that correspond in equal spaces.

    The third lower bound of Memoli, section 6, by quantiles of equal levels.
    """
    levels = (jnp.arange(_LEVELS, dtype=spaces.a.dtype) + 0.5) / _LEVELS

    def quantiles(distances: Float[Array, " k"], w: Weights) -> Float[Array, " levels"]:
        order = jnp.argsort(distances)
        at = jnp.searchsorted(jnp.cumsum(w[order]), levels)
        return distances[order[jnp.minimum(at, len(w) - 1)]]

    each = jax.vmap(quantiles, in_axes=(0, None))
    first, second = each(spaces.first, spaces.a), each(spaces.second, spaces.b)
    # A pair of points holds one number a level, of which only their mean is left.
    rows = rows_at_once(len(first), second.size, first.dtype.itemsize)
    return jax.lax.map(lambda row: ((row - second) ** 2).mean(axis=1), first, batch_size=rows)


def _drawn(key, w: Weights) -> Float[Array, "n 8"]:
    def one(i):
        return jax.random.normal(jax.random.fold_in(key, i), (8,), w.dtype)

    return jax.vmap(one)(jnp.arange(len(w)))


def _entropic(spaces: _Spaces, start, epsilon, tol, max_iterations: int):
    """ott's plan, whether it converged, and its iterations."""
    first, second = (ott_geometry.Geometry(cost_matrix=d) for d in spaces[:2])
    masses: dict[str, Any] = {"a": spaces.a, "b": spaces.b}
    with jax.numpy_dtype_promotion("standard"):  # ott mixes integers with floating-point numbers
        inner = sinkhorn.Sinkhorn(threshold=tol, max_iterations=2000)
        solver = quadratic.gromov_wasserstein.GromovWasserstein(
            inner, epsilon=epsilon, max_iterations=max_iterations, threshold=tol
        )
        problem = quadratic_problem.QuadraticProblem(first, second, **masses)
        begin = ott_geometry.Geometry(cost_matrix=start, epsilon=epsilon)
        found = solver(problem, linear_problem.LinearProblem(begin, **masses))
        plan, count = found.matrix, jnp.sum(found.costs != -1)
    return plan.astype(start.dtype), found.converged, count


def _with_marginals(plan: Float[Array, "n m"], spaces: _Spaces) -> Float[Array, "n m"]:
    """A plan near this one whose marginals are right: what lacks them may cost less than any plan.

    Source: Altschuler, Weed, Rigollet (2017), arXiv 1705.09634, algorithm 2.
    """

    def cut(sums, masses):
        return jnp.where(sums > masses, masses / jnp.where(sums > 0, sums, 1), 1)

    plan = cut(plan.sum(axis=1), spaces.a)[:, None] * plan
    plan = plan * cut(plan.sum(axis=0), spaces.b)
    rows, columns = spaces.a - plan.sum(axis=1), spaces.b - plan.sum(axis=0)
    lack = rows.sum()
    return plan + jnp.outer(rows, columns) / jnp.where(lack > 0, lack, 1)


def _polished(spaces: _Spaces, plan, least):
    """The plan after steps toward the best one by the derivative, the gain that is left, and their number.

    Frank and Wolfe (1956) with the exact length of step: along a line the cost is a quadratic. Between
    Euclidean clouds it is concave, steps are whole, and they end at a vertex.
    """

    def go(carry):
        plan, _, count = carry
        slope = spaces.slope(plan)
        step = solve_linear_program(slope, spaces.a, spaces.b).plan() - plan
        gain = -2 * jnp.sum(slope * step)
        bend = jnp.sum(step * spaces.slope(step))
        length = jnp.where(bend > gain / 2, gain / jnp.where(bend > 0, 2 * bend, 1), 1)
        # The first step is taken without a gain too: to a vertex that costs as much.
        better = (gain > least) | ((count == 0) & (bend <= 0))
        return jnp.where(better, plan + length * step, plan), gain, count + 1

    start = plan, jnp.asarray(jnp.inf, plan.dtype), jnp.asarray(0)
    return jax.lax.while_loop(lambda carry: (carry[1] > least) & (carry[2] < _ROUNDS), go, start)
