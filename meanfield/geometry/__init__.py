"""Where one particle lives: the sphere S^{d-1} in R^d, R^d itself, or products of such."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._base import AbstractGeometry as AbstractGeometry
    from ._euclidean import Euclidean as Euclidean
    from ._product import Product as Product
    from ._sphere import Sphere as Sphere

__getattr__, __dir__ = offers(__name__)
