import abc

import equinox as eqx
from jaxtyping import Array, Float

from .._checks import as_array, check_precision
from .._shown import AbstractShown
from .._typing import Key, Points, Scalar, Vectors
from ..geometry import AbstractGeometry


class AbstractMeasure(AbstractShown):
    """A probability law on a geometry.

    Densities are with respect to the normalized uniform measure on a `Sphere`, and with respect to
    Lebesgue measure on `Euclidean` space.
    """

    geometry: eqx.AbstractVar[AbstractGeometry]

    @property
    def d(self) -> int:
        """The ambient dimension."""
        return self.geometry.d

    @abc.abstractmethod
    def sample(self, key: Key, n: int) -> Points:
        """n independent points."""

    @abc.abstractmethod
    def log_density(self, x: Vectors) -> Float[Array, "*batch"]:
        """log rho(x). The point must lie on the geometry; that is not checked."""

    def points(self, x) -> Vectors:
        """`x` as an array of points of R^d, of any batch; ValueError if it is none."""
        x = check_precision(as_array(x, "x"), "x")
        if x.ndim == 0 or x.shape[-1] != self.d:
            raise ValueError(
                f"expected x of shape [..., {self.d}], got {list(x.shape)}; put coordinates last."
            )
        return x

    @abc.abstractmethod
    def entropy(self) -> Scalar:
        """-int rho log rho."""
