import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import check_nonnegative, guard
from .._typing import Scalar
from ..geometry import AbstractGeometry
from ..transport import Exact, consensus_displacement, cost_of

Clouds = Float[Array, "models n d"]


class AbstractPull(eqx.Module):
    """What carries each of several clouds toward their Wasserstein barycenter, in unit time."""

    @abc.abstractmethod
    def __call__(
        self,
        geometry: AbstractGeometry,
        x: Clouds,
        weights: Float[Array, " models"],
        masses: Float[Array, "models n"] | None,
    ) -> Clouds:
        """The displacement [N, n, d] of clouds of these points, weights and masses (None: equal)."""


class DebiasedPull(AbstractPull):
    """The gradient of the debiased Sinkhorn divergence: smooth, and blind to the noise of samples.

        u_i = sum_j w_j (E[log Y_j | x_i] - E[log X'_i | x_i])

    - `epsilon`: in units of squared distance; .3 suits tokens spread over a sphere. Details finer than
      sqrt(epsilon) are hardly pulled: clouds that differ in such details alone count as agreed.
    - `tol`: of the marginals. It is the noise of the right-hand side, so keep it well below that
      of the integrator.

    N (N + 1)/2 Sinkhorn solves of some tens of iterations each.
    Source: see `transport.consensus_displacement`.
    """

    epsilon: Scalar = eqx.field(default=0.3, converter=lambda a: _check_epsilon(a))
    tol: Scalar = eqx.field(default=1e-8, converter=lambda a: check_nonnegative(a, "tol"))

    def __call__(self, geometry, x, weights, masses):
        return consensus_displacement(
            x,
            weights,
            epsilon=self.epsilon.astype(x.dtype),
            masses=masses,
            cost=cost_of(geometry),
            tol=self.tol.astype(x.dtype),
        )


class ExactPull(AbstractPull):
    """The displacement of optimal couplings: exact between the clouds as they are, noise included.

        u_i = sum_j w_j E[log_{x_i} X_j | x_i]    over optimal plans

    For small n: each pair of clouds is an assignment (a linear program where masses differ), O(n^3),
    solved on the host under jit; quantiles on the line and the circle. Constant between changes of the
    couplings, where it jumps; derivatives are those at fixed couplings.
    """

    def __call__(self, geometry, x, weights, masses):
        models = x.shape[0]
        total = [jnp.zeros_like(x[0]) for _ in range(models)]
        for i, j in zip(*np.triu_indices(models, 1), strict=True):
            a, b = (None, None) if masses is None else (masses[i], masses[j])
            plan = Exact().transport(x[i], x[j], a, b, cost_of(geometry)).plan()
            plan = jax.lax.stop_gradient(plan)
            total[i] = total[i] + weights[j] * _mean_log(geometry, x[i], x[j], plan)
            total[j] = total[j] + weights[i] * _mean_log(geometry, x[j], x[i], plan.T)
        return jnp.stack(total)


def _mean_log(geometry, x, y, plan):
    """E[log_x Y | x], and 0 at points without mass."""
    mass = plan.sum(axis=1)
    shape = (*plan.shape, x.shape[1])
    logs = geometry.log(jnp.broadcast_to(x[:, None], shape), jnp.broadcast_to(y, shape))
    return jnp.einsum("nm,nmd->nd", plan, logs) / jnp.where(mass > 0, mass, 1)[:, None]


def _check_epsilon(epsilon) -> Scalar:
    epsilon = check_nonnegative(epsilon, "epsilon")
    return guard(
        epsilon, epsilon > 0, "expected epsilon > 0, got 0; pass epsilon=0.3, or ExactPull."
    )
