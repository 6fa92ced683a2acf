import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_cloud, check_nonnegative, check_weights
from ..._products import weighted_sum
from ..._typing import Masses, Outputs, Points, Scalar, Sources
from ...attention.kernels import AbstractDensityAttention
from ...harmonics import AbstractBasis


class Kuramoto(AbstractDensityAttention):
    """The attraction of Kuramoto's oscillators: linear attention without normalization.

        field(x_i) = kappa sum_j w_j x_j,    the gradient of W * m with W(x, y) = kappa <x, y>

    Unnormalized attention of small beta, less its constant. On the circle W is kappa cos. A density
    feels the first harmonic alone, of multiplier kappa/d.

    - `kappa`: the strength of the coupling, >= 0.

    Source: Kuramoto (1975), doi:10.1007/BFb0013365.
    """

    kappa: Scalar = eqx.field(converter=lambda k: check_nonnegative(k, "kappa"))

    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        x = check_cloud(x)
        y = x if y is None else check_cloud(y, "y")
        mean = (
            y.mean(axis=0)
            if w is None
            else weighted_sum(check_weights(w, len(y)).astype(x.dtype), y)
        )
        return jnp.broadcast_to(self.kappa.astype(x.dtype) * mean, (len(x), y.shape[1]))

    def mean_field(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Float[Array, "q ..."]:
        return basis.node_gradient(self._pull(basis, coeffs))

    def attraction(
        self, basis: AbstractBasis, coeffs: Float[Array, " k"], x: Float[Array, "m ..."]
    ) -> Float[Array, " m"]:
        return basis.evaluate(self._pull(basis, coeffs), x)

    def _pull(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Float[Array, " k"]:
        first = jnp.asarray(basis.degrees == 1, coeffs.dtype)
        return self.kappa.astype(coeffs.dtype) / basis.d * first * coeffs
