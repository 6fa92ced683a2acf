import abc
import functools
import typing
from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float

from .._door import door
from .._shown import AbstractShown
from .._typing import Key, Points, Vectors

_Method = typing.TypeVar("_Method", bound=Callable)


def of_points(method: _Method) -> _Method:
    """A method of points and vectors of d coordinates: others would be broadcast, and answered."""

    @functools.wraps(method)
    def through(self, *vectors):
        for vector in vectors:
            if vector.shape[-1] != self.d:
                raise ValueError(
                    f"expected vectors of {self.d} coordinates for {self}, got shape "
                    f"{list(vector.shape)}; put one point a row, or make the geometry of their dimension."
                )
        return method(self, *vectors)

    return typing.cast(_Method, door(through))


class AbstractGeometry(AbstractShown):
    """A manifold in R^d with its exponential map.

    `d` is the ambient dimension. Methods take points of shape [..., d] and broadcast.
    """

    EXAMPLE = "Sphere(3)"

    d: eqx.AbstractVar[int]

    @abc.abstractmethod
    def project(self, x: Vectors) -> Vectors:
        """The nearest point of the manifold."""

    @abc.abstractmethod
    def to_tangent(self, x: Vectors, v: Vectors) -> Vectors:
        """P_x v: the orthogonal projection of v on the tangent space at x."""

    @abc.abstractmethod
    def exp(self, x: Vectors, v: Vectors) -> Vectors:
        """The end of the geodesic that leaves x with the tangent velocity v, after time 1."""

    @abc.abstractmethod
    def log(self, x: Vectors, y: Vectors) -> Vectors:
        """The tangent v at x with exp(x, v) = y and |v| = distance(x, y)."""

    @abc.abstractmethod
    def transport(self, x: Vectors, v: Vectors, w: Vectors) -> Vectors:
        """The tangent w at x, carried in parallel along the geodesic from x to exp(x, v)."""

    @abc.abstractmethod
    def mean_curvature(self, x: Vectors) -> Vectors:
        """The Laplacian of the position, normal to the manifold: nu times it is the Ito drift of a
        Brownian motion of generator nu Laplacian. Continued to R^d as `extend` does."""

    @abc.abstractmethod
    def distance(self, x: Vectors, y: Vectors) -> Float[Array, "*batch"]:
        """The geodesic distance."""

    @abc.abstractmethod
    def sample(self, key: Key, n: int) -> Points:
        """n independent points of the reference law: uniform, or standard normal on R^d."""

    @abc.abstractmethod
    def check(self, x, name: str = "x") -> Points:
        """`x` as n points [n, d] of the manifold; ValueError, with the remedy, if it is not."""

    @abc.abstractmethod
    def extend(
        self, field: Callable[[Points], Points], x: Float[Array, "n d"]
    ) -> Float[Array, "n d"]:
        """A tangent field continued to all of R^d, so that Runge-Kutta stages may leave the manifold."""
