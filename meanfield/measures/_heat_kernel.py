import functools
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from .._checks import check_dimension, check_direction, check_draws, check_scalar, is_concrete
from .._door import door
from .._shown import AbstractShown
from .._typing import Key, Points, Scalar, Vectors
from ..geometry import Sphere
from ._base import AbstractMeasure
from ._heat_numerics import flat_radii, log_heat_kernel, polar_law

_CELLS = 2048


def _check_time(t, name: str) -> float:
    if not is_concrete(t):
        raise ValueError(
            f"expected a time {name} known before tracing, got {t}; build the object outside jit."
        )
    if not isinstance(t, float):  # within jit an array made of one would be traced
        t = check_scalar(t, name)
    if not 1e-5 <= float(t) <= 1e3:
        raise ValueError(f"expected 1e-5 <= {name} <= 1e3, got {t}; outside, use the limit law.")
    return float(t)


class HeatKernel(AbstractMeasure):
    """The law at time t of Brownian motion on S^{d-1} that started at `mean`, by default e_1.

        d_t rho = Laplacian rho,    rho(x) = sum_k N(d, k) e^{-k(k+d-2) t} P_k(<mean, x>),

    a density with respect to the normalized uniform measure. The generator is the Laplacian
    itself, so that noise nu run for a time T gives t = nu T: a normal law of variance 2t in each
    tangent direction while t is small, and uniform within e^{-(d-1) t}.

    The density is tabulated on the host, for d up to 128. Against the exact kernels of S^1 and S^3
    it is right to 1e-9 relative wherever it exceeds 1e-12 of its peak; in any d its relative error
    times the probability that lies beyond is below 1e-10. Where the density is smaller, near the antipode for
    t < .05, its logarithm is off by a few units of many. Sampling is
    `brownian_angle` applied to a normal tangent vector; t must be known when the object is made.

    Raises ValueError if d < 2, t is not in [1e-5, 1e3] or traced, or mean is not a unit vector.
    """

    geometry: Sphere
    mean: Float[Array, " d"]
    t: float = eqx.field(static=True)

    def __init__(
        self, d: int, t: Float[Array, ""] | float, mean: Float[Array, "..."] | None = None
    ):
        self.geometry = Sphere(_check_table_dimension(d))
        self.t = _check_time(t, "t")
        self.mean = check_direction(jnp.eye(1, self.d)[0] if mean is None else mean, self.d)

    def sample(self, key: Key, n: int) -> Points:
        key, n = check_draws(key, n)
        noise = jax.random.normal(key, (n, self.d), self.mean.dtype)
        mean = jnp.broadcast_to(self.mean, noise.shape)
        tangent = self.geometry.to_tangent(mean, noise)
        radius = jnp.linalg.norm(tangent, axis=-1, keepdims=True)
        return self.geometry.exp(mean, brownian_angle(self.d, self.t).ratio(radius) * tangent)

    def log_density(self, x: Vectors) -> Float[Array, "*batch"]:
        x = self.points(x)
        theta = self.geometry.distance(x, jnp.broadcast_to(self.mean.astype(x.dtype), x.shape))
        return _interpolate(_log_density_table(self.d, self.t), theta) - theta**2 / (4 * self.t)

    def entropy(self) -> Scalar:
        return jnp.asarray(polar_law(self.d, self.t).entropy, self.mean.dtype)


class BrownianAngle(AbstractShown):
    """The map from the length of a flat Gaussian increment to the angle of the exact spherical one.

    See `brownian_angle`, which makes it.
    """

    d: int = eqx.field(static=True)
    s: float = eqx.field(static=True)

    @door
    def __call__(self, r: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """The angle theta(r), in [0, pi]."""
        return r * self.ratio(r)

    @door
    def ratio(self, r: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        """theta(r) / r, finite at 0: by it a normal tangent vector g becomes the geodesic step."""
        ratio = _interpolate(_angle_table(self.d, self.s), r)
        return jnp.minimum(ratio, math.pi / jnp.maximum(r, 1e-3))


def brownian_angle(d: int, s: Float[Array, ""] | float) -> BrownianAngle:
    """The increasing map r -> theta that makes Brownian increments on S^{d-1} exact in law.

    If g is a standard normal vector in the tangent space at x (d - 1 degrees of freedom) and
    r = |g|, then the point at distance theta(r) from x in the direction of g has the law of
    Brownian motion of generator nu Laplacian at time h, for s = nu h:

        P(theta(r') <= theta) = P(r' <= r) = gammainc((d-1)/2, r^2/2).

    For small s, theta is r sqrt(2s): the flat increment. The means of the law's harmonics are exact
    to 1e-9 for 1e-5 <= s <= 10 and 2 <= d <= 128. Tables are made on the host, and
    kept: call it with s known, outside of jit or inside.

    Raises ValueError if d < 2 or d > 128, or if s is traced or not in [1e-5, 1e3].
    """
    return BrownianAngle(_check_table_dimension(d), _check_time(s, "s"))


def _check_table_dimension(d: int) -> int:
    d = check_dimension(d, least=2)
    if d > 128:
        raise ValueError(
            f"expected d <= 128, where the heat kernel is tabulated, got {d}; "
            "use basis.heat of a Gegenbauer basis instead."
        )
    return d


class _Table(NamedTuple):
    """A smooth function by its values and slopes (per cell) on a grid from 0 to `end`."""

    end: float
    values: np.ndarray
    slopes: np.ndarray


@jax.jit
def _interpolate(table: _Table, x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The cubic with these values and slopes at both ends of the cell; constant past the end."""
    values, slopes = (jnp.asarray(a, dtype=x.dtype) for a in (table.values, table.slopes))
    place = jnp.clip(x, 0, table.end) * (_CELLS / table.end)
    cell = jnp.minimum(place.astype(int), _CELLS - 1)
    u = place - cell.astype(x.dtype)
    v = 1 - u
    left = v * v * ((1 + 2 * u) * values[cell] + u * slopes[cell])
    right = u * u * ((1 + 2 * v) * values[cell + 1] - v * slopes[cell + 1])
    return left + right


@functools.lru_cache(maxsize=64)
def _log_density_table(d: int, t: float) -> _Table:
    """log rho + theta^2 / 4t on [0, pi]: flat at 0, where it is even."""
    theta = np.linspace(0, math.pi, _CELLS + 1)
    values = log_heat_kernel(d, t, theta) + theta**2 / (4 * t)
    spline = scipy.interpolate.CubicSpline(theta, values)
    return _Table(math.pi, values, spline(theta, 1) * (math.pi / _CELLS))


@functools.lru_cache(maxsize=64)
def _angle_table(d: int, s: float) -> _Table:
    """theta / r, which is nearly constant for small s; constant where probabilities run out."""
    radii, angles = flat_radii(d, polar_law(d, s))
    spline = scipy.interpolate.CubicSpline(radii, angles / radii)
    end = float(radii[-1])
    grid = np.linspace(0, end, _CELLS + 1)
    inside = grid >= radii[0]
    values = spline(np.maximum(grid, radii[0]))
    return _Table(end, values, np.where(inside, spline(grid, 1), 0) * (end / _CELLS))
