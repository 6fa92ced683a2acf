import abc
import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._checks import check_integer, check_scalar
from ..._door import AbstractChecked, door
from ..._typing import Points, Scalar
from ...harmonics import AbstractBasis
from ..costs import SquaredEuclidean, SquaredGeodesic, geometry, grid
from ._heat_geometry import HeatGeometry

Values = Float[Array, " q"]
_SPACINGS = 1.5
"""The largest spacing in widths of a Gaussian: its sum then errs by 2 e^{-2 (pi/1.5)^2} = 3e-4."""


class AbstractDomain(AbstractChecked):
    """Where a density is given by its values at q points, and what it costs to move it.

    Densities are relative to a reference measure, of which point i has the mass `weights[i]`. The
    cost of a path of duration tau is distance^2/(2 tau).
    """

    @property
    @abc.abstractmethod
    def points(self) -> Points:
        """The points [q, d]."""

    @property
    @abc.abstractmethod
    def weights(self) -> Values:
        """The masses [q] of the points under the reference measure."""

    @property
    @abc.abstractmethod
    def resolution(self) -> float:
        """The least width sqrt(tau epsilon) of a kernel that these points resolve."""

    @abc.abstractmethod
    def geometry(self, tau: Scalar, epsilon: Scalar) -> geometry.Geometry:
        """The costs between the points, in the form that ott's solvers take."""

    @abc.abstractmethod
    def total(self, energy: Callable, density: Values) -> Scalar:
        """The value of an energy of `meanfield.energies`, which needs no entropy, at a density."""

    @door
    def evaluate(self, function: Callable[[Float[Array, " d"]], Scalar]) -> Values:
        """The density proportional to a positive function of one point [d], of mass 1."""
        values = eqx.filter_vmap(function)(self.points)
        return values / (self.weights.astype(values.dtype) @ values)


class Box(AbstractDomain):
    """A box in R^d with |x - y|^2, such as a stretch of the line, by cells of equal size.

    `Box(-5.0, 5.0, 400)` is the interval from `low` to `high` in 400 cells, `Box((-4, -4), (4, 4), (64, 64))`
    a square. `points` [q, d] are the centres of the cells, the last coordinate running fastest, and
    `weights` their volumes: densities are relative to Lebesgue measure. The kernel is separable, so
    that a product with it costs O(q^{1 + 1/d}). Nothing leaves the box: mass that comes to its end
    stays there, so take it wider than the law by a few standard deviations.

    Raises ValueError for an empty box, for fewer than 4 cells a side, or sides that do not match.
    """

    low: tuple[float, ...] = eqx.field(static=True, converter=lambda a: _side(a, "low"))
    high: tuple[float, ...] = eqx.field(static=True, converter=lambda a: _side(a, "high"))
    cells: tuple[int, ...] = eqx.field(static=True, converter=lambda n: _cells(n))

    def __check_init__(self):
        if not len(self.low) == len(self.high) == len(self.cells):
            raise ValueError(
                "expected low, high and cells of one length, got "
                f"{len(self.low)}, {len(self.high)} and {len(self.cells)}; pass one number a side."
            )
        if not all(a < b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError("expected low < high on each side, got an empty box; swap them.")

    @property
    def points(self) -> Points:
        axes = np.meshgrid(*self._axes, indexing="ij")
        return jnp.asarray(np.stack([axis.ravel() for axis in axes], axis=1))

    @property
    def weights(self) -> Values:
        return jnp.full(math.prod(self.cells), math.prod(self._widths))

    @property
    def resolution(self) -> float:
        return max(self._widths) / _SPACINGS

    def geometry(self, tau: Scalar, epsilon: Scalar) -> geometry.Geometry:
        scale = jnp.sqrt(2 * tau)
        axes = [jnp.asarray(axis, tau.dtype) / scale for axis in self._axes]
        if len(axes) == 1:
            costs = (axes[0][:, None] - axes[0]) ** 2
            return geometry.Geometry(cost_matrix=costs, epsilon=epsilon)  # pyright: ignore
        return grid.Grid(x=axes, cost_fns=[SquaredEuclidean()], epsilon=epsilon)

    @door
    def total(self, energy: Callable, density: Values) -> Scalar:
        dtype = density.dtype
        return energy(self.points.astype(dtype), self.weights.astype(dtype) * density)

    @property
    def _widths(self) -> list[float]:
        sides = zip(self.low, self.high, self.cells, strict=True)
        return [(high - low) / n for low, high, n in sides]

    @property
    def _axes(self) -> list[np.ndarray]:
        sides = zip(self.low, self._widths, self.cells, strict=True)
        return [low + (np.arange(n) + 0.5) * width for low, width, n in sides]


class AbstractNodes(AbstractDomain):
    """A sphere by the nodes of a basis, relative to its uniform law."""

    basis: eqx.AbstractVar[AbstractBasis]

    @property
    def points(self) -> Points:
        return self.basis.points

    @property
    def weights(self) -> Values:
        return self.basis.weights

    @door
    def total(self, energy: Callable, density: Values) -> Scalar:
        return energy.on_density(self.basis, self.basis.analyze(density))


class HeatGrid(AbstractNodes):
    """A sphere S^{d-1} by the nodes of a basis, with the kernel e^{-d^2/(2 tau epsilon)} replaced by the
    heat kernel of time tau epsilon/2, which has the same limit and is diagonal in the basis.

    The basis says which sphere, and which densities: `Fourier(K)` the circle, `SphericalHarmonics(K)`
    S^2, `Gegenbauer(d, K)` densities of the polar angle from e_1 in any d. Densities are relative to
    the uniform law, so that uniform is 1. A product costs a transform, O(K log K), O(K^3) or O(K^2).

    The kernel is positive as far as K resolves it: tau epsilon >= 50/(K (K + d - 2)). What is below
    rounding, 2e-16 of the largest term of a sum, is lost: the potentials may span 30 epsilon, which is
    the speed of the flow times the distance to go; take `GeodesicGrid` or a larger epsilon beyond.

    Source: Solomon et al. (2015), doi:10.1145/2766963, section 4 (heat kernels for distances).
    """

    basis: AbstractBasis

    @property
    def resolution(self) -> float:
        # The first harmonics that are missing have multipliers below e^{-25} = 1e-11.
        return math.sqrt(50 / (self.basis.degree * (self.basis.degree + self.basis.d - 2)))

    def geometry(self, tau: Scalar, epsilon: Scalar) -> geometry.Geometry:
        return HeatGeometry(self.basis, tau * epsilon / 2, epsilon)


class GeodesicGrid(AbstractNodes):
    """A sphere S^{d-1} by the nodes of a basis, with the great-circle cost, as a matrix [q, q].

    Any basis as in `HeatGrid`; zonal densities move along meridians, on which the nodes of
    `Gegenbauer` lie. Works in the logarithmic domain, whatever the range of the densities, but the nodes
    must resolve the kernel: their distance, about 2/K, must not exceed 1.5 sqrt(tau epsilon). A product
    costs O(q^2), so that S^2 is slow beyond K = 12.
    """

    basis: AbstractBasis

    @property
    def resolution(self) -> float:
        # 3 K + 1 angles round the circle, or (3 K + 3)/2 from pole to pole.
        return 2 * math.pi / (3 * self.basis.degree + 1) / _SPACINGS

    def geometry(self, tau: Scalar, epsilon: Scalar) -> geometry.Geometry:
        points = self.points.astype(tau.dtype)
        costs = SquaredGeodesic().all_pairs(points, points) / (2 * tau)
        return geometry.Geometry(cost_matrix=costs, epsilon=epsilon)  # pyright: ignore


def _side(value, name: str) -> tuple[float, ...]:
    sides = value if isinstance(value, tuple | list) or np.ndim(value) == 1 else (value,)
    return tuple(float(check_scalar(side, name)) for side in sides)


def _cells(value) -> tuple[int, ...]:
    value = value if isinstance(value, tuple | list) else (value,)
    return tuple(check_integer(n, "cells", 4) for n in value)
