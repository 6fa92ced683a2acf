from jaxtyping import Array, Float

from .._typing import Points
from ..geometry import AbstractGeometry


def particles(points: Float[Array, "*shape"], geometry: AbstractGeometry) -> Points:
    """Particles from an array, once they are known to lie on the geometry.

    `particles(hidden_states, Sphere(768))` returns its argument if each row is a unit vector.
    Raises ValueError for a wrong shape, NaN, or points off the manifold.
    """
    return geometry.check(points, "points")
