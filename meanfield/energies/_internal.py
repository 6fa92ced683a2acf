import equinox as eqx
from jaxtyping import Array, Float

from .._products import weighted_sum
from .._typing import Points, Scalar, Weights
from ..harmonics import AbstractBasis
from ._base import AbstractEnergy
from ._quantiles import AbstractQuantiles, check_exponent


class InternalEnergy(AbstractEnergy):
    """The internal energy of a gas: int rho^m/(m-1), m > 1.

    Its gradient flow in Wasserstein space is the porous medium equation d_t rho = Laplacian rho^m,
    whose laws of compact support spread at a finite speed: m = 2 is the usual start. rho is relative
    to the uniform law on spheres, and to Lebesgue measure on the line. `Entropy()` is the limit m = 1
    of (rho^m - rho)/(m-1).

    A cloud of points has none: calling it on one raises ValueError, and so does m <= 1.
    Source: Otto (2001), doi:10.1081/PDE-100002243.
    """

    m: float = eqx.field(static=True, converter=check_exponent)

    def __check_init__(self):
        if self.m == 1:
            raise ValueError("expected m > 1, got 1; use Entropy(), which is the limit.")

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        raise ValueError(
            "expected a density, got points, whose internal energy is infinite; use on_density or "
            "on_quantiles."
        )

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        rho = basis.synthesize(coeffs)
        return weighted_sum(basis.weights.astype(rho.dtype), rho**self.m) / (self.m - 1)

    def _of_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        weights, stretch = domain.stretch(x, self.m)
        return weighted_sum(weights, stretch ** (1 - self.m)) / (self.m - 1)
