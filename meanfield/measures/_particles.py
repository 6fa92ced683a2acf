from jaxtyping import Array, Float

from .._checks import check_instance
from .._typing import Points
from ..geometry import AbstractGeometry


def particles(points: Float[Array, "*shape"], geometry: AbstractGeometry) -> Points:
    """Particles from an array, once they are known to lie on the geometry.

    `particles(hidden_states, Sphere(768))` returns its argument if each row is a unit vector.
    Raises ValueError for a wrong shape, NaN, or points off the manifold.
    """
    check_instance(geometry, AbstractGeometry, "a geometry", "pass Sphere(d) or Euclidean(d)")
    return geometry.check(points, "points")
