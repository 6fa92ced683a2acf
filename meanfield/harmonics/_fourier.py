import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int, Shaped

from ._base import (
    AbstractBasis,
    check_columns,
    check_degree,
    circle_points,
    cloud_weights,
    compiled,
)

# Points whose powers are kept at a time.
_BLOCK = 4096
# The degree up to which a product with the matrix of the basis takes less time than an FFT.
_BY_MATRIX = 32


class Fourier(AbstractBasis):
    """The trigonometric basis 1, sqrt2 cos(j theta), sqrt2 sin(j theta), j <= degree, on S^1.

    Its 2 degree + 1 coefficients are ordered mean, cos 1, sin 1, cos 2, sin 2, ... `nodes` are
    q >= 3 degree + 1 equispaced angles from 0, and transforms are FFTs, or up to degree 32 products
    with a matrix, which are quicker there. Points are unit vectors
    (cos theta, sin theta), and a sum over n of them costs O(n degree), in blocks: O(n) memory, also
    for gradients.

    Use degree 32 for kernels e^{beta <x, y>} of beta up to 10, and 5 sqrt(beta) + 16 beyond.

    Raises ValueError if degree < 1.
    """

    degree: int = eqx.field(static=True, converter=check_degree)
    d: ClassVar[int] = 2

    @property
    def degrees(self) -> Int[np.ndarray, " k"]:
        return (np.arange(2 * self.degree + 1) + 1) // 2

    @property
    def nodes(self) -> Float[Array, " q"]:
        """Angles [q] in [0, 2 pi)."""
        return jnp.asarray(self._angles)

    @property
    def points(self) -> Float[Array, "q d"]:
        return jnp.asarray(np.stack([np.cos(self._angles), np.sin(self._angles)], axis=1))

    def coordinates(self, x: Float[Array, "n d"]) -> Float[Array, "n d"]:
        return check_columns(x, 2)

    @property
    def weights(self) -> Float[Array, " q"]:
        """1/q each."""
        return jnp.full(self._count, 1 / self._count)

    @compiled
    def analyze(self, values: Float[Array, "*batch q"]) -> Float[Array, "*batch k"]:
        values = self._check_values(values)
        if self.degree <= _BY_MATRIX:
            table = _table(self.degree).astype(values.dtype)
            return jnp.matmul(values, table.T, precision="highest") / self._count
        waves = jnp.fft.rfft(values)[..., : self.degree + 1] / self._count
        pairs = math.sqrt(2) * jnp.stack([waves.real, -waves.imag], axis=-1)[..., 1:, :]
        return jnp.concatenate([waves.real[..., :1], _flat(pairs)], axis=-1)

    @compiled
    def synthesize(self, coeffs: Float[Array, "*batch k"]) -> Float[Array, "*batch q"]:
        coeffs = self._check_coeffs(coeffs)
        if self.degree <= _BY_MATRIX:
            return jnp.matmul(coeffs, _table(self.degree).astype(coeffs.dtype), precision="highest")
        mean, waves = _split(coeffs)
        mean = jax.lax.complex(mean, jnp.zeros_like(mean))
        spectrum = jnp.concatenate([mean, waves / 2], axis=-1) * self._count
        return jnp.fft.irfft(spectrum, n=self._count)

    @compiled
    def evaluate(self, coeffs: Float[Array, " k"], x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """The values [n] at the unit vectors x [n, 2]."""
        mean, waves = _split(self._check_coeffs(coeffs))
        z = _as_complex(check_columns(x, 2))
        sums = jax.lax.map(jax.checkpoint(lambda z: _horner(waves, z).real), _blocks(z))
        return mean + sums.reshape(-1)[: len(z)]

    @compiled
    def gradient(self, coeffs: Float[Array, " k"], x: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """The tangent gradients [n, 2] at the unit vectors x [n, 2]."""
        slopes = self.evaluate(self._differentiate(self._check_coeffs(coeffs)), x)
        return slopes[:, None] * jnp.stack([-x[:, 1], x[:, 0]], axis=1)

    @compiled
    def node_gradient(self, coeffs: Float[Array, " k"]) -> Float[Array, "q d"]:
        """The tangent gradients [q, 2] at the nodes."""
        slopes = self.synthesize(self._differentiate(self._check_coeffs(coeffs)))
        tangents = np.stack([-np.sin(self._angles), np.cos(self._angles)], axis=1)
        return slopes[:, None] * tangents.astype(slopes.dtype)

    @compiled
    def moments(
        self, x: Float[Array, "n d"], w: Float[Array, "..."] | None = None
    ) -> Float[Array, " k"]:
        """sum_j w_j Y_i(x_j) for unit vectors x [n, 2]; by default w = 1/n."""
        x, w = check_columns(x, 2), cloud_weights(x, w)

        @jax.checkpoint
        def add(total, cloud):
            x, y, w = cloud

            def climb(power, _):
                real, imaginary = power
                power = real * x - imaginary * y, real * y + imaginary * x
                return power, jnp.stack([jnp.sum(part) for part in power])

            start = (w, jnp.zeros_like(w))
            return total + jax.lax.scan(climb, start, None, length=self.degree, unroll=4)[1], None

        clouds = (_blocks(x[:, 0]), _blocks(x[:, 1]), _blocks(w))
        pairs, _ = jax.lax.scan(add, jnp.zeros((self.degree, 2), x.dtype), clouds)
        return jnp.concatenate([jnp.sum(w)[None], math.sqrt(2) * _flat(pairs)])

    @property
    def _metric(self) -> Float[Array, " q"]:
        return self.weights

    @property
    def _count(self) -> int:
        return circle_points(self.degree)

    @property
    def _angles(self) -> np.ndarray:
        return 2 * np.pi * np.arange(self._count) / self._count

    def _differentiate(self, coeffs: Float[Array, " k"]) -> Float[Array, " k"]:
        """The coefficients of d/dtheta: (cos, sin)_j goes to j (sin, -cos)_j."""
        pairs = coeffs[1:].reshape(-1, 2)
        j = jnp.arange(1, self.degree + 1, dtype=coeffs.dtype)
        turned = jnp.stack([j * pairs[:, 1], -j * pairs[:, 0]], axis=1)
        return jnp.concatenate([0 * coeffs[:1], turned.reshape(-1)])


def _table(degree: int) -> Float[np.ndarray, "k q"]:
    """Each function of the basis at each node."""
    q = circle_points(degree)
    # Whole turns are left out before they round.
    angles = 2 * np.pi / q * (np.outer(np.arange(1, degree + 1), np.arange(q)) % q)
    pairs = np.sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([np.ones((1, q)), pairs.reshape(2 * degree, q)])


def _flat(pairs: Float[Array, "*batch j 2"]) -> Float[Array, "*batch k"]:
    return pairs.reshape(*pairs.shape[:-2], -1)


def _blocks(a: Shaped[Array, " n"]) -> Shaped[Array, "k b"]:
    """a [n] as rows that stay in the caches, padded with zeros: points of no weight."""
    size = min(_BLOCK, len(a))
    return jnp.pad(a, (0, -len(a) % size)).reshape(-1, size)


def _as_complex(x: Float[Array, "n 2"]) -> Complex[Array, " n"]:
    return jax.lax.complex(x[:, 0], x[:, 1])


def _split(coeffs: Float[Array, "*batch k"]) -> tuple[Array, Array]:
    """The mean [..., 1], and g_j of f = mean + Re sum_j g_j z^j."""
    scaled = math.sqrt(2) * coeffs[..., 1:]
    return coeffs[..., :1], jax.lax.complex(scaled[..., ::2], -scaled[..., 1::2])


def _horner(waves: Complex[Array, " j"], z: Complex[Array, " n"]) -> Complex[Array, " n"]:
    """sum_j waves_j z^j for j = 1 .. degree."""
    step = lambda total, wave: (total * z + wave, None)
    total, _ = jax.lax.scan(step, jnp.zeros_like(z), waves, reverse=True, unroll=2)
    return total * z
