import equinox as eqx
import jax
import jax.numpy as jnp

from ..._checks import check_positive, tolerance
from ..._door import door
from ..._typing import Clouds, Points, Scalar, Weights
from ...dynamics import AbstractGate
from ...energies import AbstractEnergy
from ...transport.costs import weights_or_uniform
from ..clouds import chart, curvature, frames


class AtSaddles(AbstractGate):
    """Open while a model is next to a saddle of an energy, closed on its slopes and in its valleys.

        gate_i = 1/(1 + (s_i/distance)^2),    s_i^2 = sum_{lambda_k > 0} (<v_k, velocity>/lambda_k)^2

    and 0 where no lambda is positive: lambda_k, v_k are the eigenvalues and vectors of -Hessian of the
    energy in the metric of masses, so that s is the distance from the saddle along its unstable
    directions, as far as the flow is linear. `dynamics.NearSaddles`, which asks for |dH/dt| small, is open
    for clusters at rest in a valley as well; this one is closed there.

    - `energy`: the one that each model's own flow descends, `-Interaction(beta)` for unnormalized attention.
    - `distance`: s at which the gate is half open.

    Dense, n(d-1) up to some tens: a Hessian and its eigenvectors at each step, for each model. Clouds on
    the sphere.

    Raises ValueError for a distance that is not positive.
    Source: ours.
    """

    energy: AbstractEnergy
    distance: Scalar = eqx.field(converter=lambda a: check_positive(a, "distance"))

    @door
    def __call__(self, t: Scalar, x: Clouds, velocity: Clouds, masses=None):
        away = jax.vmap(self._away)(x, velocity, masses)
        return 1 / (1 + (away / self.distance.astype(x.dtype)) ** 2)

    def jumps(self) -> None:
        return None

    def _away(self, x: Points, velocity: Points, w: Weights | None) -> Scalar:
        """s, infinite where nothing is unstable."""
        w = weights_or_uniform(w, len(x), x.dtype, "masses")
        bases, root = frames(x), jnp.repeat(jnp.sqrt(w), x.shape[1] - 1)
        metric = jnp.where(root > 0, root, 1)
        fall = curvature(chart(self.energy, x, w, bases), root.size, x.dtype)
        rates, vectors = jnp.linalg.eigh(-fall / metric[:, None] / metric)
        along = vectors.T @ (root * jnp.einsum("ndm,nd->nm", bases, velocity).ravel())
        unstable = rates > tolerance(x.dtype) * jnp.abs(rates).max()
        square = jnp.sum(jnp.where(unstable, along / jnp.where(unstable, rates, 1), 0) ** 2)
        return jnp.where(unstable.any(), jnp.sqrt(square), jnp.inf)
