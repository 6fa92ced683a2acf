from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..._checks import check_integer, check_nonnegative, check_precision
from ..._door import door
from ..._products import exact_products, weighted_sum
from ..._typing import Scalar
from ..costs import FORBIDDEN, acceleration, geometry as ott_geometry, linear_problem, sinkhorn
from ._absorbed import absorbed, costs_of
from ._accelerated import accelerated
from ._implicit import Pair, sensitivity
from ._marginals import (
    Problem,
    check_init,
    largest_of,
    least_rounding,
    make_problem,
    rounding_of,
    scaled,
)
from ._solution import Solution
from ._symmetric import RELAXATION, Massive, SoftMarginals, SymmetricGeometry

UNIT = 2.0**-52
"""The unit of double precision: no marginals are right to less."""
_KNOWN = 0.01
"""The share of the mass that rounding may move in what is a plan still."""


@door
def solve(
    geometry: ott_geometry.Geometry,
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    tol: Scalar | float = 1e-6,
    max_iterations: int = 2000,
    iterations: int | None = None,
    init: Pair | None = None,
    symmetric: bool = False,
    tau_a: Scalar | float | None = None,
    tau_b: Scalar | float | None = None,
) -> Solution:
    """Entropic optimal transport: every Sinkhorn iteration of the package.

        min_plan <plan, c> + eps KL(plan | a b^T),    plan 1 = a,  plan^T 1 = b

        s = solve(point_geometry(x, y, SquaredGeodesic(), epsilon=0.1), a, b, tol=1e-5)
        s.value, s.f, s.g, s.converged, s.error, s.iterations, s.average(y), s.plan()
        warm = solve(moved, a, b, init=(s.f, s.g))

    - `geometry`: `point_geometry(...)`, which carries epsilon, or any geometry of ott, such as a grid.
    - `a` [n], `b` [m]: masses of sum 1, uniform by default; points may have mass zero, and change nothing.
    - `tol`: the sum of absolute errors of the marginals at which to stop, raised to what rounding allows:
      32 units (4e-6 in float32), or 4 |f|/eps of them if the potentials are large. Below 2e-16, which
      no precision meets, it stands, and `converged` is False unless the error is as small; so it does where
      rounding would move more than .01 of the mass: subtract what all costs share, or use float64.
    - `max_iterations`: after these it gives up, and `converged` says so. Iterations are accelerated
      (Anderson's method, doi:10.1145/321296.321305). Where costs are a matrix, an iteration is two products
      with a kernel that has absorbed the potentials; otherwise it is two log-sum-exps.
    - `iterations`: exactly so many instead, columns then rows, after a first one of rows. Derivatives
      then pass through each of them.
    - `init`: potentials (f, g) to start from, for instance those of a problem nearby.
    - `symmetric`: True for a cloud and itself, y = x and b = a, with a symmetric cost: one product an
      iteration, error divided by 3 each time if the kernel is positive definite.
    - `tau_a`, `tau_b`: rho/(rho + eps) where a marginal has only the penalty rho KL(. | a), 0 where it
      has none; the plan then minimizes <plan, c> - eps H(plan) + the penalties, as in ott. Errors count in
      units of the mass of the plan where that is more than 1.

    A converged solution is differentiable in the points, epsilon, a and b, forward and backward, to any
    order, under jit and vmap: `f`, `g` and what is made of them by the implicit function theorem, which
    is exact to the tolerance; `value` by the envelope theorem. Masses are not differentiated at zero.

    Raises ValueError for masses that do not fit, and for half precision; at run time, if the linear
    system of a derivative is so ill-conditioned that it cannot be solved. Masses that are known only
    once a jitted function runs give NaN where they do not fit. Source: Cuturi, arXiv 1306.0895.
    """
    check_precision(jnp.zeros((), geometry.dtype), "costs")
    problem = make_problem(geometry, a, b, tau_a, tau_b)
    max_iterations = check_integer(max_iterations, "max_iterations")
    iterations = None if iterations is None else check_integer(iterations, "iterations")
    n, m = map(int, geometry.shape)  # a grid of ott has numpy integers
    if symmetric and (n != m or problem.taus is not None):
        raise ValueError(
            f"expected a cloud and itself, balanced, for symmetric=True, got {n} by {m} points; "
            "leave out symmetric and the soft marginals."
        )
    tol = check_nonnegative(tol, "tol").astype(problem.a.dtype)
    return _solve(problem, check_init(init, (n, m)), tol, max_iterations, iterations, symmetric)


@eqx.filter_jit
def _solve(problem, init, tol, max_iterations, iterations, symmetric) -> Solution:
    init = _start(problem, symmetric) if init is None else init
    rounding = rounding_of(problem, init)
    aim = _reachable(tol, rounding)
    if iterations is None:
        pair, count = _converged(problem, init, aim, max_iterations, symmetric)
    else:
        pair, count = _run(problem, init, aim, iterations, symmetric, fixed=True)
    if problem.taus is None and not symmetric:
        pair = _centred(problem, pair)
    f, g = pair
    tol = jnp.maximum(_reachable(tol, rounding), _reachable(tol, rounding_of(problem, pair)))
    return Solution(problem, f, g, _error(problem, pair, symmetric), tol, count, symmetric)


def _start(problem: Problem, symmetric: bool) -> Pair:
    """Potentials to begin with: rows are right, or, halfway, both marginals about right."""
    g = jnp.zeros_like(problem.b)
    f = jax.lax.stop_gradient(problem.update(g, 1))
    return (f / 2, f / 2) if symmetric else (f, g)


def _reachable(tol: Scalar, rounding: Scalar) -> Scalar:
    """The tolerance, raised to what rounding leaves, unless no precision at all could meet it or what is
    left is no plan."""
    rounding = jnp.where(rounding > _KNOWN, least_rounding(tol.dtype), rounding)
    return jnp.where(tol < UNIT, tol, jnp.maximum(tol, rounding))


def _centred(problem: Problem, pair: Pair) -> Pair:
    """Of the potentials f + c, g - c of one plan, those with <a, f> = <b, g>."""
    f, g = pair
    shift = (weighted_sum(problem.a, f) - weighted_sum(problem.b, g)) / 2
    return f - shift, g + shift


@eqx.filter_custom_jvp
def _converged(problem, init, tol, max_iterations, symmetric) -> tuple[Pair, Any]:
    costs = costs_of(problem)
    if not symmetric:
        pair, count = accelerated(problem, costs, init, tol / 2, max_iterations)
        return problem.complete(pair), count
    if costs is None:
        return _run(problem, init, tol / 2, max_iterations, symmetric, fixed=False)
    f, count = absorbed(problem, costs, init[0], tol / 2, max_iterations)
    return (f, f), count


@_converged.def_jvp
@exact_products
def _converged_jvp(primals, tangents):
    problem, symmetric = primals[0], primals[-1]
    pair, count = _converged(*primals)
    return (pair, count), (sensitivity(problem, tangents[0], pair, symmetric), None)


def solution_at(problem: Problem, pair: Pair, tol: Scalar, iterations: Int[Array, ""]) -> Solution:
    """The solution at potentials that others have found, with derivatives as `solve` gives it."""
    pair = _centred(problem, _known(problem, problem.complete(jax.lax.stop_gradient(pair))))
    f, g = pair
    tol = _reachable(tol, rounding_of(problem, pair))
    return Solution(problem, f, g, _error(problem, pair, False), tol, iterations, False)


@eqx.filter_custom_jvp
def _known(problem, pair) -> Pair:
    return pair


@_known.def_jvp
@exact_products
def _known_jvp(primals, tangents):
    # The potentials move with the problem in derivatives of this derivative too.
    pair = _known(*primals)
    return pair, sensitivity(primals[0], tangents[0], pair, symmetric=False)


def _run(problem, init, tol, count, symmetric, fixed) -> tuple[Pair, Any]:
    """The potentials that ott reaches from `init`, and in how many iterations."""
    eps, (log_a, log_b) = problem.epsilon, problem.logs()
    geometry = Massive(problem.geometry, problem.present())
    if symmetric:
        geometry = SymmetricGeometry(geometry, log_a, RELAXATION)
        init = (init[0], init[0])
    elif fixed:
        init = (problem.update(init[1], 1), init[1])
    if problem.taus is not None:
        geometry = SoftMarginals(geometry, problem.offsets(), problem.taus)
    # ott calls this implicit, and would differentiate it so; it runs a plain loop.
    solver = _solver(tol, count, symmetric, fixed)
    ot = linear_problem.LinearProblem(geometry, jnp.exp(log_a), jnp.exp(log_b))
    start = (init[0] + eps * log_a, init[1] + eps * log_b)
    with jax.numpy_dtype_promotion("standard"):  # ott mixes integers with floating-point numbers
        out = sinkhorn.iterations(ot, solver, start)
    f, g = out.f - eps * log_a, out.g - eps * log_b
    return (f, f if symmetric else g), out.n_iters


def _solver(tol, count: int, symmetric: bool, fixed: bool) -> sinkhorn.Sinkhorn:
    return sinkhorn.Sinkhorn(
        threshold=tol,
        inner_iterations=1,
        min_iterations=count if fixed else 0,
        max_iterations=count,
        momentum=acceleration.Momentum(value=RELAXATION if symmetric else 1.0),
        # An integer here could not be differentiated where promotion of dtypes is strict.
        norm_error=cast(Any, np.ones((), tol.dtype)[()]),
    )


def _error(problem: Problem, pair: Pair, symmetric: bool) -> Scalar:
    """The sum of |plan marginal - what it should be|, over both marginals; of soft ones in units of the
    mass of the plan where that is more than 1."""
    total, sent = jnp.zeros((), problem.a.dtype), 1.0
    for axis in (1,) if symmetric else (0, 1):
        own, mass = (pair[0], problem.a) if axis == 1 else (pair[1], problem.b)
        lse = problem.lse(pair[axis], axis)
        marginal = scaled(mass, (own + lse) / problem.epsilon)
        right = scaled(mass, (problem.softened(lse, axis) + lse) / problem.epsilon)
        total = total + jnp.abs(marginal - right).sum()
        sent = 1.0 if problem.taus is None else jnp.maximum(marginal.sum(), 1)
    total = 2 * total if symmetric else total / sent
    # Potentials as large as a cost that forbids a pair would have its mass sent over it.
    lost = jnp.isnan(total) | (largest_of(problem, pair) > FORBIDDEN / 10)
    return jax.lax.stop_gradient(jnp.where(lost, jnp.inf, total))
