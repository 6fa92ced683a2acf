"""What the studies of the heat-equation limit share: the flows, their limits, a start on the line.

Tokens in R^d with the kernel e^{-|x - y|^2 / 2 eps} move by v(x) = (x - E[y | x]) / eps, and on the
sphere by its tangent part. As eps -> 0, E taken with softmax weights (attention by distance, L2)
gives v = -grad log rho + O(eps), and with doubly stochastic ones (Sinkhorn) v = -(1/2) grad log rho +
O(eps): the density follows d_t rho = Laplacian rho and d_t rho = (1/2) Laplacian rho.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtr

from ..._checks import check_choice
from ..._typing import Points, Scalar, Weights
from ...attention.kernels import L2, AbstractAttention, Sinkhorn, Softmax
from ...dynamics import AbstractParticles
from ...dynamics.particles import AttentionFlow, Drift
from ...dynamics.reductions import GaussianFlow
from ...geometry import AbstractGeometry, Sphere
from ...transport.costs import DotProduct, SquaredEuclidean

SOURCE = "Sander, Ablin, Blondel, Peyre (2022), arXiv 2110.11773, theorem 1"
DIFFUSIVITY = {"Sinkhorn": 0.5, "L2": 1.0}
"""The number D of the limit d_t rho = D Laplacian rho, by kind of attention."""
SINKHORN_TOL = 1e-10
"""Marginal error at which the iterations of Sinkhorn stop."""


def heat_attention(name: str, eps: Scalar, d: int, sphere: bool = False) -> AbstractAttention:
    """The attention of field -E[y | x] / eps; ValueError for a name that `DIFFUSIVITY` does not have."""
    value = -jnp.eye(d, dtype=eps.dtype) / eps
    if check_choice(name, DIFFUSIVITY, "attention") == "Sinkhorn":
        # Of two costs with the same plan, the one that takes fewer iterations.
        cost = DotProduct() if sphere else SquaredEuclidean()
        return Sinkhorn(1 / eps, value=value, cost=cost, tol=SINKHORN_TOL)
    return Softmax(1 / eps, value=value) if sphere else L2(1 / eps, value=value)


def heat_flow(
    name: str, eps: Scalar, geometry: AbstractGeometry, weights: Weights | None = None
) -> AbstractParticles:
    """The tokens that spread like heat as eps -> 0."""
    on_sphere = isinstance(geometry, Sphere)
    attention = heat_attention(name, eps, geometry.d, on_sphere)
    flow = AttentionFlow(geometry, attention, weights=weights)
    if on_sphere:  # where x / eps has no tangent part
        return flow
    return flow + Drift(geometry, jax.tree_util.Partial(_times, 1 / eps))


def gaussian_heat_flow(name: str, eps: Scalar, d: int) -> GaussianFlow:
    """Infinitely many of these tokens, from a Gaussian start."""
    linear = jnp.eye(d, dtype=eps.dtype) / eps
    return GaussianFlow(heat_attention(name, eps, d), linear=linear)


def _times(factor: Scalar, x: Float[Array, " d"]) -> Float[Array, " d"]:
    return factor.astype(x.dtype) * x


class Normals(NamedTuple):
    """A mixture of normal laws on the line, on the host: weights, means and variances."""

    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray

    def after(self, t: float) -> "Normals":
        """The solution of d_t rho = (1/2) rho'' from this start."""
        return self._replace(variances=self.variances + t)

    def tails(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The masses below and above each point, each to its own relative precision."""
        z = (x[:, None] - self.means) / np.sqrt(self.variances)
        return ndtr(z) @ self.weights, ndtr(-z) @ self.weights

    def quantiles(self, below: np.ndarray, above: np.ndarray) -> np.ndarray:
        """The points with these masses below and above, by bisection to rounding."""
        reach = np.abs(self.means).max() + 40 * np.sqrt(self.variances.max())
        low, high = np.full_like(below, -reach), np.full_like(below, reach)
        for _ in range(60):
            middle = (low + high) / 2
            under, over = self.tails(middle)
            small = np.where(below < above, under < below, over > above)
            low, high = np.where(small, middle, low), np.where(small, high, middle)
        return (low + high) / 2

    def log_density(self, x: Scalar) -> Scalar:
        """log rho(x), to be differentiated."""
        square = (x - self.means) ** 2 / self.variances + jnp.log(2 * jnp.pi * self.variances)
        return jax.nn.logsumexp(jnp.log(self.weights) - square / 2)


MIXTURE = Normals(np.array([0.4, 0.6]), np.array([-1.2, 1.0]), np.array([0.5, 0.35]))
NORMAL = Normals(np.array([1.0]), np.array([0.0]), np.array([0.5]))


def labels(law: Normals, n: int) -> tuple[np.ndarray, np.ndarray]:
    """n points at even distances with the masses of the law: the trapezoid rule of infinitely many
    tokens, exact to rounding while the kernel is wider than the distance of neighbours."""
    spread = 6.5 * np.sqrt(law.variances)
    x = np.linspace((law.means - spread).min(), (law.means + spread).max(), n)
    mass = np.exp(np.asarray(jax.vmap(law.log_density)(jnp.asarray(x))))
    return x, mass / mass.sum()


def residual(attention: AbstractAttention, x: Points, w: Weights | None) -> Scalar:
    """The marginal error of Sinkhorn attention at a cloud; 0 for softmax, whose rows are exact."""
    if isinstance(attention, Sinkhorn):
        return attention.solve(x, None, w).error
    return jnp.zeros((), x.dtype)
