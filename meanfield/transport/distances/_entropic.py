import copy
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_finite, check_integer, check_positive
from ..._door import door
from ..._typing import Points, Scalar
from ..costs import (
    BlockwiseGeometry,
    costs,
    geometry as ott_geometry,
    mean_cost,
    point_geometry,
    root,
    weights_or_uniform,
)
from ..sinkhorn import (
    UNIT,
    Pair,
    Solution,
    check_init,
    has_newton,
    make_problem,
    newton,
    scaled,
    solution_at,
    solve,
    without,
)
from ._transport import AbstractMethod, Transport


class Entropic(AbstractMethod):
    """Entropic transport, by ott's Sinkhorn iteration through a decreasing sequence of epsilon.

        P = argmin <P, c> + epsilon KL(P | a b^T),    cost = <P, c> >= the least cost

    - `epsilon`: the regularization in units of the cost; by default `relative_epsilon` times the mean
      cost a^T c b, a constant to automatic differentiation. .01 is a few percent from the distance; smaller
      is closer and slower: iterations grow like 1/epsilon at worst.
    - `tol`: the sum of absolute errors of the marginals at which to stop, raised to what the precision
      allows, as in `solve`. `max_iterations`: after these it gives up, and `converged` says so.
    - `init`: potentials to start from, such as `.potentials` of a problem nearby; no sequence then.
    - `dense`: whether to build the n x m matrix; None decides by size. Without it, memory is O(n + m),
      forward and backward.

    The cost is differentiable in points and weights by the implicit function theorem, exact to `tol`.

    Raises ValueError for epsilon, relative_epsilon or tol that are not positive, fewer iterations than
    one, and half precision. The gradient raises if its linear system cannot be solved, as may happen
    in float32 at a small epsilon: raise epsilon or use float64.
    """

    epsilon: Scalar | None
    relative_epsilon: Scalar
    tol: Scalar
    max_iterations: int = eqx.field(static=True)
    init: Pair | None
    dense: bool | None = eqx.field(static=True)

    @door
    def __init__(
        self,
        epsilon: Scalar | float | None = None,
        *,
        relative_epsilon: Scalar | float = 0.01,
        tol: Scalar | float = 1e-6,
        max_iterations: int = 10_000,
        init: Pair | None = None,
        dense: bool | None = None,
    ):
        self.epsilon = None if epsilon is None else check_positive(epsilon, "epsilon")
        self.relative_epsilon = check_positive(relative_epsilon, "relative_epsilon")
        self.tol = check_positive(tol, "tol")
        self.max_iterations = check_integer(max_iterations, "max_iterations")
        self.init = None if init is None else _finite(init)
        self.dense = dense

    @door
    def transport(
        self,
        x: Points,
        y: Float[Array, "m d"],
        a: Float[Array, " n"] | None,
        b: Float[Array, " m"] | None,
        cost: costs.CostFn,
    ) -> Transport:
        a = weights_or_uniform(a, x.shape[0], x.dtype, "a")
        b = weights_or_uniform(b, y.shape[0], y.dtype, "b")
        geometry = _geometry_of(self, (x, y), (a, b), cost)
        init = check_init(self.init, geometry.shape)
        found = solve_small(geometry, a, b, self.tol, self.max_iterations, init)
        mean, method = plan_cost(found), "entropic: Sinkhorn"
        facts = found.error, found.converged, found.iterations
        return Transport(root(mean), mean, *facts, found, method)


def _finite(init: Pair) -> Pair:
    return check_finite(init[0], "init"), check_finite(init[1], "init")


def _geometry_of(method: Entropic, clouds, masses, cost: costs.CostFn) -> Any:
    """The costs between the clouds, with the epsilon of the method."""
    (x, y), (a, b) = clouds, masses
    how: dict[str, Any] = {"dense": method.dense}
    if method.epsilon is None:
        relative = jnp.asarray(method.relative_epsilon).astype(x.dtype)
        return point_geometry(x, y, cost, a=a, b=b, relative_epsilon=relative, **how)
    return point_geometry(x, y, cost, epsilon=jnp.asarray(method.epsilon).astype(x.dtype), **how)


@eqx.filter_jit
def solve_small(
    geometry: ott_geometry.Geometry, a, b, tol, max_iterations: int, init: Pair | None = None
) -> Solution:
    """`solve`, approached so that a small epsilon converges. Its iterations are those of all stages.

    Unless there are potentials to start from, epsilon falls from a quarter of the mean cost by factors
    of 4, as in Kosowsky and Yuille (1994), doi:10.1016/0893-6080(94)90081-7. At its last value the
    iteration is started again from where it is every 300 steps. Clouds of up to 400 points whose
    iteration is slower than that are left to Newton's method.
    """
    (n, m), dtype = geometry.shape, geometry.dtype
    problem = make_problem(geometry, a, b, None, None)
    fixed, mass, other = jax.lax.stop_gradient((geometry, problem.a, problem.b))
    last = jnp.asarray(fixed.epsilon, dtype)
    tol = jnp.asarray(tol).astype(dtype)
    steps = min(300, max_iterations)

    def go(carry):
        epsilon, pair, count, _ = carry
        aim = jnp.where(epsilon > last, 0.05, jnp.maximum(tol, UNIT))
        found = solve(
            with_epsilon(fixed, epsilon), mass, other, tol=aim, max_iterations=steps, init=pair
        )
        done = (found.converged & (epsilon <= last)) | ~jnp.isfinite(found.error)
        count, pair = count + found.iterations.astype(int), (found.f, found.g)
        if has_newton(problem) and max_iterations > steps:
            slow = (epsilon <= last) & ~done
            pair, more, finished = newton(found.problem, pair, found.tol / 2, slow)
            count, done = count + more, done | finished
        return jnp.maximum(epsilon / 4, last), pair, count, done

    first = last
    if init is None:
        first = jnp.maximum(mean_cost(fixed, mass, other) / 4, last)
        init = jnp.zeros(n, dtype), jnp.zeros(m, dtype)
    start = (first, jax.lax.stop_gradient(init), jnp.asarray(0), jnp.asarray(False))
    _, pair, count, _ = jax.lax.while_loop(
        lambda carry: ~carry[3] & (carry[2] < max_iterations), go, start
    )
    # Where it gave up before the last epsilon, the rows at least are right.
    return solution_at(problem, (problem.update(pair[1], 1), pair[1]), tol, count)


def with_epsilon(geometry: ott_geometry.Geometry, epsilon: Scalar) -> Any:
    """The same costs with another regularization."""
    made: Any = copy.copy(geometry)
    made._epsilon_init = epsilon
    return made


@eqx.filter_jit
def plan_cost(solution: Solution) -> Scalar:
    """<P, c>, in O(n + m) memory: no term of it cancels, so that it is 0 where all costs are."""
    p = solution.problem
    h = without(p.present()[1], solution.g + p.epsilon * p.logs()[1], p.epsilon)
    if isinstance(p.geometry, BlockwiseGeometry):
        lse, mean = p.geometry.lse_and_mean_cost(h, p.epsilon)
    else:
        lse = p.lse(solution.g, 1)
        exponent = (h - lse[:, None] - p.geometry.cost_matrix) / p.epsilon
        mean = jnp.sum(jnp.exp(exponent) * p.geometry.cost_matrix, axis=1)
    return scaled(p.a, (solution.f + lse) / p.epsilon) @ mean
