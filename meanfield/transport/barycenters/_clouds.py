from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_integer, check_positive, shown
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Points, Scalar, Weights
from ..costs import Cost, as_cost, masses_of, space_of, unit_of, weights_or_uniform
from ..distances import (
    RELATIVE_EPSILON,
    Exact,
    certified,
    check_cloud,
    check_epsilon,
    regularization,
)
from ._free_support import Models, apart, biased, debiased as without_bias, exact, iterate, rounding


class Barycenter(AbstractShown):
    """A barycenter with free support.

    `points` [k, d] of masses `weights` [k]; `error`, the length of the step that would come next, root
    mean square, in units of sqrt(epsilon), of exact plans in those of the root mean square distance
    between all points; `bias`, that of the debiased step, in units of length: the
    gradient that is left of the debiased objective, over twice the mass of a point. It is the error
    times that unit, or, with `debiased=False`, how strongly entropy contracts the result.
    `iterations`; `converged`, whether the error is within the tolerance; `epsilon`, 0 of exact plans.
    Where a plan behind a step was not found, error and bias are NaN and `converged` is False.
    """

    points: Points
    weights: Weights
    error: Scalar
    bias: Scalar
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]
    epsilon: Scalar


@door
def barycenter(
    clouds: Sequence[Float[Array, "..."]] | Float[Array, "models n d"],
    weights: Float[Array, " models"] | None = None,
    *,
    masses: Sequence[Float[Array, " _"] | None] | Float[Array, "_ _"] | None = None,
    cost: Cost | None = None,
    epsilon: Scalar | float | None = None,
    start: Float[Array, "k _"] | None = None,
    start_masses: Float[Array, " k"] | None = None,
    method: Exact | None = None,
    debiased: bool = True,
    tol: Scalar | float = 1e-3,
    max_steps: int = 200,
) -> Barycenter:
    """The Wasserstein barycenter of N clouds, as k points of fixed masses that are free to move.

        argmin_x sum_i w_i S_epsilon(x, x_i),  by  x <- exp_x(sum_i w_i displacement(x, x_i))

    On R^d the step is x + sum_i w_i E[Y_i | x] - E[X' | x]. On a sphere it is a Karcher step of the
    conditional laws: barycenters of single points are Karcher means.

    - `clouds`: N clouds [n_i, d]. `weights` [N] of the clouds and `masses` [n_i] of their points sum to 1,
      uniform by default.
    - `cost`: `SquaredEuclidean()` by default, `SquaredGeodesic()` on a sphere.
    - `epsilon`: in units of the cost; by default a fifth of the mean cost over all points.
    - `start` [k, d]: where the points start, and `start_masses` [k], those which they keep, uniform by
      default. Without a start the first cloud with its masses, but where points of it coincide,
      which could not part, means of points of all clouds.
    - `method`: None for entropic plans, `Exact()` for exact ones, without epsilon and bias.
    - `debiased`: False leaves out the plan of x with itself, and the cloud contracts.
    - `tol`: the length of a step, in the units of `error`, at which to stop; at least that of
      rounding, 4 machine epsilons of the size of the clouds. `max_steps`: after these it gives up.

    By exact plans it is

        argmin_x sum_i w_i W2^2(x, x_i),  by  x <- exp_x(sum_i w_i E[log_x Y_i | x])

    Each step lowers the objective; of as many equal points in R^d the plans are assignments, of which
    there are finitely many, and a small `tol` ends where none changes.

    The end is a critical point near the start. Detail below sqrt(epsilon) stays that of the start.
    Between antipodes one geodesic is chosen. Closed forms: `quantile_barycenter` on the line,
    `gaussian_barycenter` of normal laws. May be jitted and vmapped. Points are differentiable in clouds,
    masses (not of exact plans), weights and epsilon, forward and backward, by the implicit function
    theorem; what the start decides counts as constant, and a derivative that is not found is NaN.

    Raises ValueError for shapes that do not fit, for a cost that is no squared distance, and for epsilon
    and tol that are not positive, an epsilon of exact plans, and their derivatives in masses.

    Source: Cuturi and Doucet, arXiv 1310.4375, algorithm 2; Alvarez-Esteban et al., arXiv 1511.05355,
    for the fixed point; the debiased objective of Janati, Cuturi,
    Gramfort, arXiv 2006.02575.
    """
    cost = as_cost(cost)
    space, max_steps = space_of(cost), check_integer(max_steps, "max_steps")
    threshold = check_positive(tol, "tol", "pass tol=1e-3")
    clouds = [check_cloud(cloud, cost, "clouds") for cloud in clouds]
    x, a = _padded(clouds, masses)
    w = weights_or_uniform(weights, x.shape[0], x.dtype, "weights")
    exactly = method is not None
    if exactly and epsilon is not None:
        raise ValueError(
            f"expected no epsilon for exact plans, got {shown(epsilon)}; leave out epsilon or method."
        )
    pooled = jax.lax.stop_gradient((x.reshape(-1, x.shape[2]), (w[:, None] * a).ravel()))
    unit = jnp.ones((), x.dtype)
    if exactly:
        unit = unit_of(pooled[0], pooled[0], pooled[1], pooled[1], cost)
        x, pooled = x / unit, (pooled[0] / unit, pooled[1])
    if epsilon is None:
        relative = 1.0 if exactly else RELATIVE_EPSILON
        epsilon = regularization(None, relative, *pooled, cost)
    else:
        epsilon = check_epsilon(epsilon, x)
    models = Models(x, a, w, cost, space(x.shape[2]), epsilon)
    points, mass = _start(models, start, start_masses, clouds[0].shape[0], unit)
    threshold = jnp.maximum(threshold.astype(x.dtype), rounding(models) / jnp.sqrt(epsilon))
    pull = exact if exactly else without_bias if debiased else biased
    last = jnp.asarray(max_steps)  # an array, since a number would be compiled anew
    points, size, bias, count, ok = iterate(models, points, mass, pull, threshold, last)
    error, bias = certified(size / jnp.sqrt(epsilon), ok), certified(bias, ok)
    epsilon = 0 * epsilon if exactly else epsilon
    return Barycenter(unit * points, mass, error, unit * bias, count, error <= threshold, epsilon)


def _start(models: Models, start, masses, first: int, unit: Scalar) -> tuple[Points, Weights]:
    """Where the points start, and their masses: `first` points of the first cloud by default."""
    d, dtype = models.x.shape[2], models.x.dtype
    if start is None:
        points, own = models.x[0, :first], models.a[0, :first]
        masses = own if masses is None else weights_or_uniform(masses, first, dtype, "start_masses")
        return jax.lax.stop_gradient(apart(models, points, masses)), masses
    start = check_cloud(start, models.cost, "start").astype(dtype)
    if start.shape[1] != d:
        raise ValueError(
            f"expected a start in R^{d}, as the clouds, got R^{start.shape[1]}; leave it out."
        )
    return start / unit, weights_or_uniform(masses, start.shape[0], dtype, "start_masses")


def _padded(clouds: list[Array], masses) -> tuple[Array, Array]:
    """Clouds of one length, filled up with points of mass zero, and their masses."""
    if not clouds or len({cloud.shape[1] for cloud in clouds}) > 1:
        raise ValueError(
            f"expected clouds [n, d] of one d, got {[list(c.shape) for c in clouds]}; "
            "pass one array a cloud."
        )
    longest = max(cloud.shape[0] for cloud in clouds)
    pads = [(0, longest - cloud.shape[0]) for cloud in clouds]
    filled = map(jnp.pad, masses_of(masses, clouds), pads)
    padded = [jnp.pad(x, [pad, (0, 0)], mode="edge") for x, pad in zip(clouds, pads, strict=True)]
    return jnp.stack(padded), jnp.stack([*filled])
