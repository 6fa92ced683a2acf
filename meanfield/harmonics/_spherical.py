from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from . import _legendre as legendre
from ._base import (
    AbstractBasis,
    check_columns,
    check_degree,
    circle_points,
    cloud_weights,
    compiled,
)
from ._polynomials import gauss
from ._recurrence import combine, project

# Points times orders that a sum over a cloud keeps in memory at a time.
_BLOCK = 2**18


class SphericalHarmonics(AbstractBasis):
    """The real spherical harmonics Y_lm, l <= degree, on S^2.

    With x = (sin theta cos phi, sin theta sin phi, cos theta) and P_l^m without the factor (-1)^m,

        Y_l0 = N_l0 P_l(cos theta),   Y_lm = sqrt2 N_lm P_l^m(cos theta) cos(m phi) for m > 0,
        Y_l,-m the same with sin(m phi),   N_lm^2 = (2l + 1) (l - m)! / (l + m)!,

    so that Y_1,-1, Y_10, Y_11 are sqrt3 y, sqrt3 z, sqrt3 x. Coefficient Y_lm has the index
    l^2 + l + m, of (degree + 1)^2. `nodes` are Gauss points in cos theta times equispaced phi from
    0, phi running fastest. Transforms are FFTs in phi and dense in theta, O(degree^3); sums over a
    cloud of n points cost O(n degree^2), in blocks. Everything is regular at the poles.

    Degree 32 is comfortable, 128 the most that is tested.

    Raises ValueError if degree < 1.
    """

    degree: int = eqx.field(static=True, converter=check_degree)

    @property
    def d(self) -> int:
        return 3

    @property
    def degrees(self) -> Int[np.ndarray, " k"]:
        return np.repeat(np.arange(self.degree + 1), 2 * np.arange(self.degree + 1) + 1)

    @property
    def nodes(self) -> Float[Array, "q d"]:
        """Unit vectors [q, 3]."""
        z, sine, phi = self._grid
        return jnp.asarray(_vectors(sine * np.cos(phi), sine * np.sin(phi), z))

    @property
    def points(self) -> Float[Array, "q d"]:
        return self.nodes

    def coordinates(self, x: Float[Array, "n d"]) -> Float[Array, "n d"]:
        return check_columns(x, 3)

    @property
    def weights(self) -> Float[Array, " q"]:
        return jnp.asarray(np.repeat(self._latitude_weights / self._longitudes, self._longitudes))

    @compiled
    def analyze(self, values: Float[Array, "*batch q"]) -> Float[Array, "*batch k"]:
        values = self._check_values(values)
        rows = values.reshape(*values.shape[:-1], -1, self._longitudes)
        waves = jnp.fft.rfft(rows)[..., : self.degree + 1] / self._longitudes
        weights = self._latitude_weights.astype(values.dtype)[:, None]
        pairs = weights * jnp.stack([waves.real, -waves.imag], axis=-3)
        table = legendre.table(self.degree, values.dtype)
        packed = jnp.einsum("mqj,...cqm->...cmj", table, pairs, precision="highest")
        return legendre.unpack(self.degree, packed)

    @compiled
    def synthesize(self, coeffs: Float[Array, "*batch k"]) -> Float[Array, "*batch q"]:
        return self._from_waves(self._to_waves(self._pack(coeffs)))

    @compiled
    def evaluate(self, coeffs: Float[Array, " k"], x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """The values [n] at the unit vectors x [n, 3]."""
        packed = self._scale(coeffs.dtype) * self._pack(coeffs)
        return self._map(lambda point: _horner(self._combine(packed, point[2]), point).real, x)

    @compiled
    def gradient(self, coeffs: Float[Array, " k"], x: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """The tangent gradients [n, 3] at the unit vectors x [n, 3]."""
        packed = self._pack(coeffs)
        both = self._scale(coeffs.dtype) * jnp.concatenate([packed, legendre.raised(packed)])
        order = np.arange(self.degree + 1).astype(coeffs.dtype)

        def slope(point: Float[Array, "3"]) -> Float[Array, "3"]:
            # f = Re sum_m g_m(z) (x + iy)^m, differentiated in x, y and z, then made tangent.
            sums = self._combine(both, point[2])
            across = _horner((jnp.asarray(order) * sums[:2])[:, 1:], point)
            upward = _horner(sums[2:, 1:], point).real
            ambient = jnp.stack([across.real, -across.imag, upward])
            return ambient - jnp.sum(ambient * point) * point

        return self._map(slope, x)

    @compiled
    def node_gradient(self, coeffs: Float[Array, " k"]) -> Float[Array, "q d"]:
        """The tangent gradients [q, 3] at the nodes."""
        packed = self._pack(coeffs)
        z, sine, phi = (grid.astype(coeffs.dtype) for grid in self._grid)
        order = np.arange(self.degree + 1).astype(coeffs.dtype)
        around = jnp.asarray(order / sine) * self._to_waves(packed)
        upward = self._to_waves(legendre.raised(packed))[..., 1:]
        upward = jnp.pad(upward, ((0, 0), (0, 0), (0, 1)))
        east = self._from_waves(jnp.stack([around[1], -around[0]]))
        south = self._from_waves(jnp.asarray(z) * around - upward)
        to_south = _vectors(z * np.cos(phi), z * np.sin(phi), -sine)
        to_east = _vectors(-np.sin(phi), np.cos(phi), 0 * z)
        return south[:, None] * to_south + east[:, None] * to_east

    @compiled
    def moments(
        self, x: Float[Array, "n d"], w: Float[Array, "..."] | None = None
    ) -> Float[Array, " k"]:
        """sum_j w_j Y_i(x_j) for unit vectors x [n, 3]; by default w = 1/n."""
        x, w = check_columns(x, 3), cloud_weights(x, w)
        block = min(self._block, len(w))
        # Points added to fill the last block have no weight.
        fill = -len(w) % block
        points = jnp.pad(x, ((0, fill), (0, 0))).reshape(-1, block, 3)
        masses = jnp.pad(w, (0, fill)).reshape(-1, block)
        add = lambda total, cloud: (total + self._block_moments(*cloud), None)
        packed, _ = jax.lax.scan(add, jnp.zeros(self._packed_shape, x.dtype), (points, masses))
        return legendre.unpack(self.degree, self._scale(x.dtype) * packed)

    def _block_moments(
        self, x: Float[Array, "n 3"], w: Float[Array, " n"]
    ) -> Float[Array, "2 m j"]:
        zeta = jax.lax.complex(x[:, 0], x[:, 1])
        start = jax.lax.complex(w, jnp.zeros_like(w))
        climb = lambda power, _: (power * zeta, power)
        _, powers = jax.lax.scan(climb, start, None, length=self.degree + 1)
        alpha, gamma = legendre.order_rungs(self.degree)
        rungs = (alpha[..., None], gamma[..., None])
        sums = project(rungs, jnp.stack([powers.real, powers.imag]), x[:, 2])
        return jnp.moveaxis(sums, 0, -1)

    def _combine(self, packed: Float[Array, "c m j"], z: Float[Array, ""]) -> Float[Array, "c m"]:
        return combine(legendre.order_rungs(self.degree), jnp.moveaxis(packed, -1, 0), z)

    def _to_waves(self, packed: Float[Array, "*batch 2 m j"]) -> Float[Array, "*batch 2 q m"]:
        """The cosine and sine waves along each latitude."""
        table = legendre.table(self.degree, packed.dtype)
        return jnp.einsum("mqj,...cmj->...cqm", table, packed, precision="highest")

    def _from_waves(self, waves: Float[Array, "*batch 2 q m"]) -> Float[Array, "*batch n"]:
        """The node values of sum_m a_m cos(m phi) + b_m sin(m phi)."""
        half = np.where(np.arange(self.degree + 1) == 0, 1, 0.5) * self._longitudes
        waves = jnp.asarray(half, dtype=waves.dtype) * waves
        spectrum = jax.lax.complex(waves[..., 0, :, :], -waves[..., 1, :, :])
        values = jnp.fft.irfft(spectrum, n=self._longitudes)
        return values.reshape(*values.shape[:-2], -1)

    def _map(self, function: Callable[[Array], Array], x: Float[Array, "n d"]) -> Array:
        return jax.lax.map(function, check_columns(x, 3), batch_size=self._block)

    def _pack(self, coeffs: Float[Array, "*batch k"]) -> Float[Array, "*batch 2 m j"]:
        return legendre.pack(self.degree, self._check_coeffs(coeffs))

    def _scale(self, dtype) -> Float[Array, "m 1"]:
        return jnp.asarray(legendre.scale(self.degree)[:, None], dtype=dtype)

    @property
    def _metric(self) -> Float[Array, " q"]:
        return self.weights

    @property
    def _block(self) -> int:
        return max(1, _BLOCK // (self.degree + 1))

    @property
    def _packed_shape(self) -> tuple[int, int, int]:
        return (2, self.degree + 1, self.degree + 1)

    @property
    def _longitudes(self) -> int:
        return circle_points(self.degree)

    @property
    def _latitude_weights(self) -> np.ndarray:
        return gauss(3, legendre.latitudes(self.degree))[1].astype(float)

    @property
    def _grid(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """z and sin(theta) [latitude, 1], phi [longitude]."""
        z, _ = gauss(3, legendre.latitudes(self.degree))
        sine = np.sqrt((1 - z) * (1 + z))
        phi = 2 * np.pi * np.arange(self._longitudes) / self._longitudes
        return z.astype(float)[:, None], sine.astype(float)[:, None], phi


def _vectors(*axes: np.ndarray) -> np.ndarray:
    """Vectors [q, 3] from components that broadcast to [latitude, longitude]."""
    return np.stack([axis.ravel() for axis in np.broadcast_arrays(*axes)], axis=1)


def _horner(waves: Float[Array, "2 m"], point: Float[Array, "3"]) -> Complex[Array, ""]:
    """sum_m (a_m - i b_m) (x + i y)^m, for m from 0."""
    zeta = jax.lax.complex(point[0], point[1])
    step = lambda total, wave: (total * zeta + wave, None)
    complex_waves = jax.lax.complex(waves[0], -waves[1])
    return jax.lax.scan(step, jnp.zeros_like(zeta), complex_waves, reverse=True, unroll=2)[0]
