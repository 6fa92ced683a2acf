from collections.abc import Callable

import jax
from jaxtyping import Array, Float

from .._typing import Points, Scalar, Weights
from ..harmonics import AbstractBasis, Gegenbauer
from ..transport.costs import massive
from ._base import AbstractEnergy
from ._functions import check_function


class Pairwise(AbstractEnergy):
    """The energy of pairs: 1/2 iint k(x, y) dmu(x) dmu(y), for a symmetric kernel.

    `kernel` maps two points [d], [d] to a number. `Pairwise(lambda x, y: 0.5 * (x - y) @ (x - y))`
    draws a cloud to its mean. `Interaction` is the kernel of attention.

    Raises ValueError for weights that do not fit, and for zonal densities (`Gegenbauer`).
    """

    kernel: Callable[[Float[Array, " d"], Float[Array, " d"]], Scalar]

    def __check_init__(self):
        check_function(self.kernel, "a kernel", "lambda x, y: (x - y) @ (x - y)")

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        x = massive(x, w)
        values = jax.vmap(jax.vmap(self.kernel, (None, 0)), (0, None))(x, x)
        if w is None:
            return values.mean() / 2
        return w @ values @ w / 2

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        """By the quadrature of the basis; ValueError for zonal densities, whose nodes are no cloud."""
        if isinstance(basis, Gegenbauer):
            raise ValueError(
                "expected Fourier or SphericalHarmonics, got Gegenbauer; use Interaction for a kernel "
                "of <x, y>."
            )
        rho = basis.synthesize(coeffs)
        return self._of_points(
            basis.points.astype(rho.dtype), basis.weights.astype(rho.dtype) * rho
        )
