from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_integer, check_scalar
from .._door import door
from .._typing import Points, Scalar, Weights
from ..attention.closures import doubly_stochastic_potential
from ..attention.engines import AbstractEngine
from ..attention.kernels import Sinkhorn
from ..harmonics import AbstractBasis
from ..transport.costs import DotProduct, SquaredEuclidean
from ._base import AbstractEnergy
from ._interaction import Interaction


class Sinkformer(AbstractEnergy):
    """The functional that doubly stochastic attention descends.

        F_inf(mu) = -(1/2) iint k_inf log(k_inf/k_0) dmu dmu,    k_inf = e^{f(x) + f(y)} k_0(x, y)

    where k_0 is the kernel of `attention.Sinkhorn(beta, cost=cost)` and k_inf, of integrals one, its doubly
    stochastic scaling. It is minus half the entropic cost of transporting mu to itself, in units of
    epsilon, and equals -int f dmu. Its Wasserstein gradient is beta E[y|x] with the dot product, and
    beta (E[y|x] - x) with `SquaredEuclidean()`, so that

    - `AttentionFlow(geometry, Sinkhorn(beta, value=-beta * eye(d)))` is its gradient descent with the dot
      product, V = -K^T Q in the source, and that of F_inf + <beta |x|^2/2> with the distance;
    - softmax with any V is not the gradient flow of any functional.

    For beta = 1/eps -> infinity F_inf + (beta/2) int |x|^2 tends, up to constants, to (1/2) int rho log rho,
    whose gradient flow is d_t rho = (1/2) Laplacian rho.

    `tol`, `max_iterations` and `engine` are those of `Sinkhorn`. Gradients cost one product with the kernel
    (envelope theorem). Where the iteration does not reach `tol` value and gradient are NaN. Raises
    ValueError as `Sinkhorn` does.
    Source: Sander, Ablin, Blondel, Peyre, arXiv 2110.11773, section 4, proposition 2.
    """

    beta: Scalar = eqx.field(converter=lambda b: check_scalar(b, "beta"))
    cost: Any = DotProduct()
    tol: Scalar = eqx.field(default=1e-9, converter=lambda t: check_scalar(t, "tol"))
    max_iterations: int = eqx.field(
        default=2000, static=True, converter=lambda n: check_integer(n, "max_iterations")
    )
    engine: AbstractEngine | None = None

    def __check_init__(self):
        remedy = "pass DotProduct() or SquaredEuclidean()"
        if not isinstance(self.cost, DotProduct | SquaredEuclidean):
            raise ValueError(f"expected a cost, got {type(self.cost).__name__}; {remedy}.")
        self._attention()

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        solution = self._attention().solve(x, None, w)
        if w is not None:
            # The derivative in a mass of 0 is made of its potential, which no marginal asks for, and of
            # what it would add to the plan, as a query and as a key: the keys of no mass are left out.
            pair = solution.problem.complete((solution.f, solution.g))
            solution = eqx.tree_at(lambda s: (s.f, s.g), solution, pair)
            added = jnp.where(solution.problem.present()[1], 0, w).sum() / 2
        else:
            added = jnp.zeros((), x.dtype)
        value = added - solution.value / (2 * solution.epsilon)
        # A factor, so that the gradient is NaN too.
        return value * jnp.where(solution.converged, 1, jnp.nan).astype(x.dtype)

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        attention = self._attention()
        potential = doubly_stochastic_potential(attention.on_the_sphere().beta, basis, coeffs)
        rho = basis.synthesize(coeffs)
        constant = self.beta.astype(rho.dtype) / 2  # of the kernel e^{beta (t - 1)} of densities
        return constant - basis.weights.astype(rho.dtype) @ (rho * potential)

    def _attention(self) -> Sinkhorn:
        return Sinkhorn(
            self.beta,
            cost=self.cost,
            tol=self.tol,
            max_iterations=self.max_iterations,
            engine=self.engine,
        )


@door
def unscaled_sinkformer(beta: Scalar | float) -> AbstractEnergy:
    """F_0(mu) = (1/2) iint e^{beta <x, y>} dmu dmu: what `Sinkformer` is before any scaling.

    `Unnormalized(beta, value=-beta * eye(d))` is its gradient descent. Source: arXiv 2110.11773,
    section 4.
    """
    return beta * Interaction(beta)
