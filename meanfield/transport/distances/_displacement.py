import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._checks import check_nonnegative, check_positive, guard
from ..._door import door
from ..._products import weighted_sum
from ..._typing import Points, Scalar, Weights
from ..costs import (
    AbstractCost,
    Cost,
    as_cost,
    point_geometry,
    weights_or_uniform,
    with_one_geodesic,
)
from ..sinkhorn import make_problem, solve
from ._entropic import solve_small
from ._wasserstein import check_clouds

MAX_ITERATIONS = 10_000
"""Sinkhorn iterations, at most, of one problem."""
RELATIVE_EPSILON = 0.2
"""The regularization by default, over the mean cost."""


@door
def displacement(
    x: Points,
    y: Float[Array, "m _"],
    a: Weights | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    epsilon: Scalar | float | None = None,
    relative_epsilon: Scalar | float = RELATIVE_EPSILON,
    cost: Cost | None = None,
    debiased: bool = True,
    tol: Scalar | float = 1e-8,
    max_iterations: int = MAX_ITERATIONS,
) -> Float[Array, "n d"]:
    """What carries each point of a cloud x toward a cloud y in unit time: an estimate of T(x) - x.

        D(x) = -(1/2) grad_x S_epsilon(x, y) / a = E[log_x Y | x] - E[log_x X' | x]

    T is the optimal map between the laws from which x [n, d] and y [m, d] are drawn, S the debiased
    Sinkhorn divergence: D is minus the Wasserstein gradient of S/2. The second mean, over the plan of x
    with itself, takes off the pull to the middle that comes with entropy; `debiased=False` leaves it
    in. `a` [n], `b` [m] are masses, uniform by default; points of mass zero are carried too.

    - `epsilon`: in units of the cost; by default `relative_epsilon` times the mean cost between any two
      of all points, so that D scales with the clouds. A plan that averages over sqrt(epsilon) is blind
      to the noise of the sample: for maps between normal laws D is nearest to T(x) - x, nearer than the
      best matching of the two clouds, at a fifth to a half of the mean cost. Large ones move the mean
      alone.
    - `cost`: `SquaredEuclidean()` by default; `SquaredGeodesic()` on a sphere, where D is tangent. Between
      antipodes one geodesic is chosen, the same from both.
    - `tol`: of the marginals, as in `solve`. Where `max_iterations` do not reach it, D is NaN: raise
      epsilon.

    Differentiable by the implicit function theorem; epsilon too depends on the points by default.
    Raises ValueError for clouds and masses that do not fit and epsilon that is not positive.

    Source: Feydy et al., arXiv 1810.08278, section 3; Pooladian and Niles-Weed, arXiv 2109.12004.
    """
    cost = as_cost(cost)
    x, y, a, b = check_clouds(x, y, a, b, cost)
    a = weights_or_uniform(a, x.shape[0], x.dtype, "a")
    b = weights_or_uniform(b, y.shape[0], x.dtype, "b")
    pooled = jnp.concatenate([x, y]), jnp.concatenate([a, b]) / 2
    epsilon = regularization(epsilon, relative_epsilon, *pooled, cost)
    tol = check_nonnegative(tol, "tol").astype(x.dtype)
    return _displaced(x, y, a, b, epsilon, cost, debiased, tol, max_iterations)


@eqx.filter_jit
def _displaced(x, y, a, b, epsilon, cost, debiased: bool, tol, max_iterations: int):
    geometry = point_geometry(x, y, cost, epsilon=epsilon)
    across = solve_small(geometry, a, b, tol, max_iterations)
    pull, known = conditional_mean(x, y, b, across.g, cost, epsilon), across.converged
    if debiased:
        own, found = own_mean(x, a, cost, epsilon, tol, max_iterations)
        pull, known = pull - own, known & found
    return certified(pull, known)


def conditional_mean(
    x: Points, y: Float[Array, "m d"], b: Float[Array, " m"], g: Float[Array, " m"], cost, epsilon
) -> Float[Array, "n d"]:
    """E[log_x Y | x] over the plan whose potential at y is g: -1/2 times the gradient of f(x)."""
    cost = with_one_geodesic(cost)

    def potentials(points):
        problem = make_problem(
            point_geometry(points, y, cost, epsilon=epsilon), None, b, None, None
        )
        return problem.update(g, 1).sum()

    return -jax.grad(potentials)(x) / 2


def own_mean(
    x: Points, a: Weights, cost, epsilon, tol, max_iterations: int
) -> tuple[Float[Array, "n d"], Bool[Array, ""]]:
    """E[log_x X' | x] over the plan of a cloud with itself, the bias of entropy, and if it is solved."""
    geometry = point_geometry(x, x, cost, epsilon=epsilon)
    own = solve(geometry, a, a, tol=tol, symmetric=True, max_iterations=max_iterations)
    return conditional_mean(x, x, a, own.g, cost, epsilon), own.converged


@door
def plan_displacement(
    x: Points, y: Float[Array, "m d"], plan: Float[Array, "n m"], cost: AbstractCost
) -> Float[Array, "n d"]:
    """E[log_x Y | x] over a plan [n, m], and 0 at points without mass."""
    mass, one_sided = plan.sum(axis=1), with_one_geodesic(cost)
    total = jax.grad(lambda points: jnp.sum(plan * one_sided.all_pairs(points, y)))(x)
    return -total / (2 * jnp.where(mass > 0, mass, 1))[:, None]


def certified(value: Array, ok: Bool[Array, ""]) -> Array:
    """The value, or NaN, with derivatives that are NaN too, where no iteration stands behind it."""
    return value * jnp.where(ok, 1, jnp.nan).astype(value.dtype)


def regularization(epsilon, relative, x: Points, w: Weights, cost) -> Scalar:
    """epsilon, or a part of the mean cost between points x [n, d] of masses w of sum 1.

    Of points that all coincide it is the square of their rounding: any positive number would do.
    """
    if epsilon is not None:
        return check_epsilon(epsilon, x)
    relative = check_positive(relative, "relative_epsilon").astype(x.dtype)
    part = relative * weighted_sum(
        w, point_geometry(x, x, cost, epsilon=1.0).apply_cost(w, axis=1).ravel()
    )
    rounding = 8 * float(jnp.finfo(x.dtype).eps)
    noise = rounding**2 * weighted_sum(w, jnp.sum(x**2, axis=1))
    least = float(jnp.finfo(x.dtype).tiny) ** 0.5
    apart = jnp.any((w[:, None] > 0) & (x != x[jnp.argmax(w)]))
    sound = jnp.isnan(part) | (part >= least) | (part < noise) | ~(apart & (noise < least))
    message = (
        f"expected clouds whose squared distances are a scale for epsilon in {x.dtype}, got a part "
        f"of {least:.0e} or less; pass epsilon, or multiply the points."
    )
    return jnp.where(sound, guard(jnp.maximum(part, noise + least), sound, message), jnp.nan)


def check_epsilon(epsilon, x: Array) -> Scalar:
    """A positive regularization, in the dtype of x."""
    epsilon = check_nonnegative(epsilon, "epsilon").astype(x.dtype)
    return guard(
        epsilon, epsilon > 0, "expected epsilon > 0, got 0; pass a tenth of the mean cost."
    )
