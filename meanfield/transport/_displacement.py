import jax
from jaxtyping import Array, Float

from .._checks import check_nonnegative, guard
from .._typing import Points, Scalar, Weights
from ._costs import SquaredEuclidean
from ._coupling import weights_or_uniform
from ._geometry import as_cost, point_geometry
from ._problem import make_problem
from ._sinkhorn import solve
from ._wasserstein import check_clouds


def displacement(
    x: Points,
    y: Float[Array, "m _"],
    a: Weights | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    epsilon: Scalar | float,
    cost=None,
    debiased: bool = True,
    tol: Scalar | float = 1e-8,
) -> Float[Array, "n d"]:
    """What carries each point of a cloud x toward a cloud y in unit time: an estimate of T(x) - x.

        D(x) = -(1/2) grad_x S_epsilon(x, y) / a = E[log_x Y | x] - E[log_x X' | x]

    T is the optimal map between the laws from which x [n, d] and y [m, d] are drawn, S the debiased
    Sinkhorn divergence: D is minus the Wasserstein gradient of S/2. The second mean, over the plan of x
    with itself, takes off the pull to the middle that comes with entropy; `debiased=False` leaves it
    in. `a` [n], `b` [m] are masses, uniform by default; points of mass zero are carried too.

    - `epsilon`: in units of the cost. A plan that averages over sqrt(epsilon) is blind to the noise of
      the sample: for maps between normal laws D is nearest to T(x) - x, about twice as near as the best
      matching of the two clouds, at a fifth to a half of the mean cost. Large ones move the mean alone.
    - `cost`: `SquaredEuclidean()` by default; `SquaredGeodesic()` on a sphere, where D is tangent.
    - `tol`: of the marginals, as in `solve`.

    Differentiable in everything, to any order, by the implicit function theorem.
    Raises ValueError for clouds and masses that do not fit and epsilon that is not positive.

    Source: Feydy et al., arXiv 1810.08278, section 3; Pooladian and Niles-Weed, arXiv 2109.12004.
    """
    cost = as_cost(SquaredEuclidean() if cost is None else cost)
    x, y, a, b = check_clouds(x, y, a, b, cost)
    a = weights_or_uniform(a, x.shape[0], x.dtype, "a")
    b = weights_or_uniform(b, y.shape[0], x.dtype, "b")
    epsilon = check_epsilon(epsilon, x)
    across = solve(point_geometry(x, y, cost, epsilon=epsilon), a, b, tol=tol)
    pull = conditional_mean(x, y, b, across.g, cost, epsilon)
    return pull - own_mean(x, a, cost, epsilon, tol) if debiased else pull


def conditional_mean(
    x: Points, y: Float[Array, "m d"], b: Float[Array, " m"], g: Float[Array, " m"], cost, epsilon
) -> Float[Array, "n d"]:
    """E[log_x Y | x] over the plan whose potential at y is g: -1/2 times the gradient of f(x)."""

    def potentials(points):
        problem = make_problem(
            point_geometry(points, y, cost, epsilon=epsilon), None, b, None, None
        )
        return problem.update(g, 1).sum()

    return -jax.grad(potentials)(x) / 2


def own_mean(x: Points, a: Weights, cost, epsilon, tol) -> Float[Array, "n d"]:
    """E[log_x X' | x] over the plan of a cloud with itself: the bias of entropy."""
    own = solve(point_geometry(x, x, cost, epsilon=epsilon), a, a, tol=tol, symmetric=True)
    return conditional_mean(x, x, a, own.g, cost, epsilon)


def check_epsilon(epsilon, x: Array) -> Scalar:
    """A positive regularization, in the dtype of x."""
    epsilon = check_nonnegative(epsilon, "epsilon").astype(x.dtype)
    return guard(
        epsilon, epsilon > 0, "expected epsilon > 0, got 0; pass a tenth of the mean cost."
    )
