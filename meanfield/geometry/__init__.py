"""Where one particle lives: the sphere S^{d-1} in R^d, or R^d itself."""

from ._base import AbstractGeometry as AbstractGeometry
from ._euclidean import Euclidean as Euclidean
from ._sphere import Sphere as Sphere
