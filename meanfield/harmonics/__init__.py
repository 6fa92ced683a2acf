"""Bases on the sphere S^{d-1} in which the Laplacian is diagonal and convolution a product.

Everywhere: harmonics are real and orthonormal for the *normalized* uniform measure, so that the
coefficient of degree 0 is the mean, 1 for a probability density; coefficients are sorted by degree,
so that a lower degree is a prefix; lambda_k = k(k + d - 2).
"""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._base import AbstractBasis as AbstractBasis
    from ._fourier import Fourier as Fourier
    from ._gegenbauer import Gegenbauer as Gegenbauer
    from ._legendre import meridian_waves as meridian_waves
    from ._polynomials import zonal_polynomials as zonal_polynomials
    from ._spherical import SphericalHarmonics as SphericalHarmonics

__getattr__, __dir__ = offers(__name__)
