"""Where one particle lives: the sphere S^{d-1} in R^d, R^d itself, or products of such."""

from ._base import AbstractGeometry as AbstractGeometry
from ._euclidean import Euclidean as Euclidean
from ._product import Product as Product
from ._sphere import Sphere as Sphere
