import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._checks import check_integer, check_nonnegative, check_positive, guard
from ..._door import AbstractChecked
from ..._typing import Clouds, Scalar
from ...geometry import AbstractGeometry
from ...transport.barycenters import barycenter_displacement, consensus_displacement
from ...transport.costs import cost_of
from ...transport.distances import Exact, plan_displacement


class AbstractPull(AbstractChecked):
    """What carries each of several clouds toward all of them, in unit time.

    Iterative ones are NaN where their iterations do not reach their tolerance.
    """

    EXAMPLE = "ExactPull()"

    @abc.abstractmethod
    def __call__(
        self,
        geometry: AbstractGeometry,
        x: Clouds,
        weights: Float[Array, " models"],
        masses: Float[Array, "models n"] | None,
    ) -> Clouds:
        """The displacement [N, n, d] of clouds of these points, weights and masses (None: equal)."""


class BarycenterPull(AbstractPull):
    """The displacement to the Wasserstein barycenter, which is found anew at each call.

        u_i = T_{i -> bar} - id = -grad_i min_x sum_j w_j W2^2(x, x_j) / (2 w_i)

    with the debiased Sinkhorn divergence for W2^2: smooth, and blind to the noise of samples. By the
    envelope theorem the barycenter counts as constant in the gradient.

    - `epsilon`: in units of squared distance; by default `relative_epsilon` times the mean of that
      between any two tokens of all models, so that u scales with the clouds. Details finer than
      sqrt(epsilon) are hardly pulled: clouds that differ in such details alone count as agreed.
    - `steps`: steps to the barycenter, each N + 1 Sinkhorn solves of some tens of iterations, fewer where
      it is reached earlier. `residual`: what the next step may be at most, in units of sqrt(epsilon);
      about the error of u. Where it is more, u is NaN: raise `steps`.
    - `tol`: of the marginals. It is the noise of the right-hand side, so keep it well below that
      of the integrator. `max_iterations`: of a Sinkhorn solve; where they do not reach it u is NaN.

    Raises ValueError for numbers that are not positive.
    Source: see `transport.barycenter_displacement`.
    """

    epsilon: Scalar | None = eqx.field(default=None, converter=lambda a: _check_epsilon(a))
    tol: Scalar = eqx.field(default=1e-8, converter=lambda a: check_positive(a, "tol"))
    relative_epsilon: Scalar = eqx.field(default=0.2, converter=lambda a: _check_relative(a))
    steps: int = eqx.field(default=32, static=True, converter=lambda n: check_integer(n, "steps"))
    residual: Scalar = eqx.field(default=0.03, converter=lambda a: check_positive(a, "residual"))
    max_iterations: int = eqx.field(
        default=10_000, static=True, converter=lambda n: check_integer(n, "max_iterations")
    )

    def __call__(self, geometry, x, weights, masses):
        return barycenter_displacement(
            x, weights, masses=masses, cost=cost_of(geometry), steps=self.steps,
            residual=self.residual, **_sinkhorn(self, x),
        )  # fmt: skip


class PairwisePull(AbstractPull):
    """The mean of the displacements to all clouds, by the debiased Sinkhorn divergence.

        u_i = sum_j w_j (T_ij - id) = -grad_i (1/2) sum_jk w_j w_k W2^2(x_j, x_k) / (2 w_i)

    It is `BarycenterPull` for two models and wherever optimal maps compose, the first of the steps to
    the barycenter elsewhere. It costs a tenth of it: N (N + 1)/2 Sinkhorn solves.

    Arguments and what is raised as for `BarycenterPull`.
    Source: see `transport.consensus_displacement`.
    """

    epsilon: Scalar | None = eqx.field(default=None, converter=lambda a: _check_epsilon(a))
    tol: Scalar = eqx.field(default=1e-8, converter=lambda a: check_positive(a, "tol"))
    relative_epsilon: Scalar = eqx.field(default=0.2, converter=lambda a: _check_relative(a))
    max_iterations: int = eqx.field(
        default=10_000, static=True, converter=lambda n: check_integer(n, "max_iterations")
    )

    def __call__(self, geometry, x, weights, masses):
        return consensus_displacement(
            x, weights, masses=masses, cost=cost_of(geometry), **_sinkhorn(self, x)
        )


DebiasedPull = PairwisePull
"""An earlier name of `PairwisePull`."""


class ExactPull(AbstractPull):
    """The mean of the displacements of optimal couplings: exact between the clouds, noise included.

        u_i = sum_j w_j E[log_{x_i} X_j | x_i]    over optimal plans

    As `PairwisePull`, without its smoothing. For small n: each pair of clouds is an assignment (a linear
    program where masses differ), O(n^3), solved on the host under jit; quantiles on the line and the
    circle. Constant between changes of the couplings, where it jumps; derivatives are those at fixed
    couplings. NaN where a program is not solved.
    """

    def __call__(self, geometry, x, weights, masses):
        models, cost = x.shape[0], cost_of(geometry)
        total = [jnp.zeros_like(x[0]) for _ in range(models)]
        for i, j in zip(*np.triu_indices(models, 1), strict=True):
            a, b = (None, None) if masses is None else (masses[i], masses[j])
            found = Exact().transport(x[i], x[j], a, b, cost)
            plan = jax.lax.stop_gradient(jnp.where(found.converged, found.plan(), jnp.nan))
            total[i] = total[i] + weights[j] * plan_displacement(x[i], x[j], plan, cost)
            total[j] = total[j] + weights[i] * plan_displacement(x[j], x[i], plan.T, cost)
        return jnp.stack(total)


def _sinkhorn(pull: BarycenterPull | PairwisePull, x: Clouds) -> dict:
    """The arguments that both iterative pulls hand on."""
    return {
        "epsilon": None if pull.epsilon is None else pull.epsilon.astype(x.dtype),
        "relative_epsilon": pull.relative_epsilon.astype(x.dtype),
        "tol": pull.tol.astype(x.dtype),
        "max_iterations": pull.max_iterations,
    }


def _check_relative(relative) -> Scalar:
    return check_positive(relative, "relative_epsilon", "pass a part of the mean cost, such as 0.2")


def _check_epsilon(epsilon) -> Scalar | None:
    if epsilon is None:
        return None
    epsilon = check_nonnegative(epsilon, "epsilon")
    return guard(
        epsilon, epsilon > 0, "expected epsilon > 0, got 0; leave it out, or pass ExactPull()."
    )
