from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import check_finite, check_weights
from .._typing import Scalar
from ._costs import SquaredEuclidean
from ._coupling import weights_or_uniform
from ._displacement import check_epsilon, conditional_mean, own_mean
from ._geometry import as_cost, point_geometry
from ._sinkhorn import solve
from ._wasserstein import check_cloud

Clouds = Float[Array, "models n d"]
"""The clouds of N models; fewer than n points are padded with points of mass zero."""


def consensus_displacement(
    clouds: Clouds,
    weights: Float[Array, " models"] | None = None,
    *,
    epsilon: Scalar | float,
    masses: Float[Array, "_ _"] | None = None,
    cost=None,
    tol: Scalar | float = 1e-8,
) -> Clouds:
    """What carries each of N clouds toward their barycenter: u_i = sum_j w_j displacement(x_i, x_j).

    Minus the Wasserstein gradient of `disagreement` in cloud i, over 2 w_i; equally, the first step from
    cloud i of the iteration that finds the barycenter. For laws on the line, Diracs, and laws that are
    shifted and scaled copies of each other it is the displacement to the barycenter itself, up to the
    error of `displacement`, whose arguments these are. Equal clouds have none, to `tol`.

    `clouds` [N, n, d]; `weights` [N] of the models and `masses` [N, n] of their points sum to 1, uniform
    by default: a model with fewer points has some of mass 0.
    Raises ValueError for shapes that do not fit.
    """
    m = _check(clouds, weights, masses, cost, epsilon)
    i, j = np.triu_indices(len(clouds), 1)

    def both_ways(x, y, a, b):
        s = solve(point_geometry(x, y, m.cost, epsilon=m.epsilon), a, b, tol=tol)
        forth = conditional_mean(x, y, b, s.g, m.cost, m.epsilon)
        return forth, conditional_mean(y, x, a, s.f, m.cost, m.epsilon)

    forth, back = jax.vmap(both_ways)(m.x[i], m.x[j], m.a[i], m.a[j])
    own = jax.vmap(lambda x, a: own_mean(x, a, m.cost, m.epsilon, tol))(m.x, m.a)
    w = m.w[:, None, None]
    return ((w - 1) * own).at[i].add(w[j] * forth).at[j].add(w[i] * back)


def disagreement(
    clouds: Clouds,
    weights: Float[Array, " models"] | None = None,
    *,
    epsilon: Scalar | float,
    masses: Float[Array, "_ _"] | None = None,
    cost=None,
    tol: Scalar | float = 1e-8,
) -> Scalar:
    """How far N clouds are from agreement: (1/2) sum_ij w_i w_j S_epsilon(x_i, x_j).

    The variance sum_i w_i |x_i - sum_j w_j x_j|^2 where each cloud is one point of R^d; on the line, and
    for small epsilon, sum_i w_i W2^2(x_i, barycenter). 0 to rounding if all agree, positive otherwise.
    Arguments as in `consensus_displacement`, whose flow descends it:
    d/dt = -2 sum_i w_i |u_i|^2.
    """
    m = _check(clouds, weights, masses, cost, epsilon)
    i, j = np.triu_indices(len(clouds), 1)

    def across(x, y, a, b):
        return solve(point_geometry(x, y, m.cost, epsilon=m.epsilon), a, b, tol=tol).value

    def own(x, a):
        geometry = point_geometry(x, x, m.cost, epsilon=m.epsilon)
        return solve(geometry, a, a, tol=tol, symmetric=True).value

    pairs = jax.vmap(across)(m.x[i], m.x[j], m.a[i], m.a[j])
    self_costs = jax.vmap(own)(m.x, m.a)
    return jnp.sum(m.w[i] * m.w[j] * (pairs - (self_costs[i] + self_costs[j]) / 2))


class _Models(eqx.Module):
    x: Clouds
    w: Float[Array, " models"]
    a: Float[Array, "models n"]
    cost: Any
    epsilon: Scalar


def _check(clouds, weights, masses, cost, epsilon) -> _Models:
    x = check_finite(clouds, "clouds")
    if x.ndim != 3 or x.shape[0] < 2 or x.shape[1] == 0:
        raise ValueError(
            f"expected at least two clouds, as an array [N, n, d], got {list(x.shape)}; stack them, "
            "padded with points of mass 0 where they are of different sizes."
        )
    cost = as_cost(SquaredEuclidean() if cost is None else cost)
    check_cloud(x.reshape(-1, x.shape[2]), cost, "clouds")
    w = weights_or_uniform(weights, x.shape[0], x.dtype, "weights")
    uniform = jnp.full(x.shape[:2], 1 / x.shape[1], x.dtype)
    a = uniform if masses is None else check_masses(masses, x)
    return _Models(x, w, a, cost, check_epsilon(epsilon, x))


def check_masses(masses, x: Clouds) -> Float[Array, "models n"]:
    """One mass a point, of sum 1 for each cloud."""
    if jnp.shape(masses) != x.shape[:2]:
        raise ValueError(
            f"expected masses of shape {list(x.shape[:2])}, got {list(jnp.shape(masses))}; "
            "pass one a point of each cloud."
        )
    return jnp.stack([check_weights(m, x.shape[1], "masses") for m in masses]).astype(x.dtype)
