from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._typing import Points, Scalar, Weights
from ..harmonics import AbstractBasis, Gegenbauer
from ._base import AbstractEnergy
from ._doors import check_cloud, check_coeffs, check_function, check_row
from ._quantiles import AbstractQuantiles


class Pairwise(AbstractEnergy):
    """The energy of pairs: 1/2 iint k(x, y) dmu(x) dmu(y), for a symmetric kernel.

    `kernel` maps two points [d], [d] to a number. `Pairwise(lambda x, y: 0.5 * (x - y) @ (x - y))`
    draws a cloud to its mean. `Interaction` is the kernel of attention.

    Raises ValueError for weights that do not fit, and for zonal densities (`Gegenbauer`).
    """

    kernel: Callable[[Float[Array, " d"], Float[Array, " d"]], Scalar] = eqx.field(
        converter=lambda f: check_function(f, "a kernel", "lambda x, y: (x - y) @ (x - y)")
    )

    def __call__(self, x: Points, w: Weights | None = None) -> Scalar:
        x, w = check_cloud(x, w)
        values = jax.vmap(jax.vmap(self.kernel, (None, 0)), (0, None))(x, x)
        if w is None:
            return values.mean() / 2
        return w @ values @ w / 2

    def on_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        """By the quadrature of the basis; ValueError for zonal densities, whose nodes are no cloud."""
        if isinstance(basis, Gegenbauer):
            raise ValueError(
                "expected Fourier or SphericalHarmonics, got Gegenbauer; use Interaction for a kernel "
                "of <x, y>."
            )
        coeffs = check_coeffs(basis, coeffs)
        rho = basis.synthesize(coeffs)
        return self(basis.points.astype(rho.dtype), basis.weights.astype(rho.dtype) * rho)

    def on_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        x = check_row(domain, x)
        return self(domain.points(x), jnp.asarray(domain.masses(x.shape[0]), x.dtype))
