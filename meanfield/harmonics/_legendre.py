"""Associated Legendre functions as Gegenbauer polynomials: the latitude half of `SphericalHarmonics`.

The normalized P_l^m(cos theta) is s_m sin^m(theta) p_{l-m}(cos theta), with p the orthonormal
polynomials of dimension 2m + 3 and s_m = sqrt(prod_{i=1..m} (2i + 1) / (2i)), times sqrt2 for m > 0.
With sin^m(theta) e^{i m phi} = (x + i y)^m each harmonic is a polynomial in x, y, z, and nothing
degenerates at the poles; the recurrence in l at fixed m is stable.

Coefficients are packed as [2, m, j] for cos and sin, order m and l = m + j, zero where l > degree.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._door import door
from ._base import check_degree, rounded
from ._polynomials import gauss, orthonormal, rungs


def latitudes(degree: int) -> int:
    """The number of Gauss points in cos theta that integrates degree 3 degree exactly."""
    return (3 * degree + 3) // 2


@functools.lru_cache(maxsize=16)
def order_rungs(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """The recurrence coefficients [degree, m] of all orders, 0 from where l would pass degree."""
    alpha, gamma = np.zeros((2, degree, degree + 1))
    for m in range(degree):
        alpha[: degree - m, m], gamma[: degree - m, m] = rungs(2 * m + 3, degree - m)
    return alpha, gamma


@functools.lru_cache(maxsize=16)
def scale(degree: int) -> np.ndarray:
    """s_m [degree + 1]."""
    i = np.arange(1, degree + 1)
    return np.sqrt(np.cumprod(np.concatenate([[1.0, 3.0], (2 * i[1:] + 1) / (2 * i[1:])])))


@functools.lru_cache(maxsize=8)
def table(degree: int, dtype: np.dtype) -> np.ndarray:
    """The normalized P_l^m at the Gauss latitudes, as [m, latitude, j]."""
    z, _ = gauss(3, latitudes(degree))
    sine = np.sqrt((1 - z) * (1 + z))
    out = np.zeros((degree + 1, z.size, degree + 1), z.dtype)
    for m, s in enumerate(scale(degree)):
        values = orthonormal(2 * m + 3, degree - m, z)
        out[m, :, : degree + 1 - m] = s * sine[:, None] ** m * values
    return rounded(out, dtype, f"degree={degree}")


@door
@functools.lru_cache(maxsize=8)
def meridian_waves(degree: int) -> np.ndarray:
    """The normalized P_l^m(cos theta) as Fourier series along a whole meridian, [m, l, k + degree].

    s_m sin^m(theta) p_{l-m}(cos theta) = sum_k q_k e^{i k theta} for even m, and -i times that for
    odd m, with real q_k for |k| <= degree.
    """
    count = 2 * check_degree(degree) + 1
    theta = 2 * np.pi * np.arange(count) / count
    k = np.arange(-degree, degree + 1)
    out = np.zeros((degree + 1, degree + 1, count))
    for m, s in enumerate(scale(degree)):
        values = s * np.sin(theta)[:, None] ** m * orthonormal(2 * m + 3, degree - m, np.cos(theta))
        waves = np.fft.fft(values, axis=0)[k].T / count
        out[m, m:] = -waves.imag if m % 2 else waves.real
    out.flags.writeable = False
    return out


def pack(degree: int, coeffs: Float[Array, "*batch k"]) -> Float[Array, "*batch 2 m j"]:
    """Coefficients by l^2 + l + m, as [2, m, j]."""
    return jnp.take(coeffs, _places(degree), axis=-1, mode="fill", fill_value=0)


def unpack(degree: int, packed: Float[Array, "*batch 2 m j"]) -> Float[Array, "*batch k"]:
    """The inverse of `pack`."""
    flat = packed.reshape(*packed.shape[:-3], -1)
    places = _places(degree).ravel()
    inverse = np.argsort(places, kind="stable")[: (degree + 1) ** 2]
    return jnp.take(flat, inverse, axis=-1)


def raised(packed: Float[Array, "*batch 2 m j"]) -> Float[Array, "*batch 2 m j"]:
    """The coefficients of d/dz at order m + 1, from those of order m at the same l.

    d/dz [s_m p_j] = sqrt((l - m)(l + m + 1)) s_{m+1} p_{j-1}, over sqrt2 for m = 0.
    """
    size = packed.shape[-1]
    m, j = np.arange(size - 1)[:, None], np.arange(1, size)
    ladder = np.sqrt(j * (j + 2 * m + 1)) / np.where(m == 0, np.sqrt(2), 1)
    moved = ladder.astype(packed.dtype) * packed[..., :-1, 1:]
    return jnp.pad(moved, [(0, 0)] * (packed.ndim - 2) + [(1, 0), (0, 1)])


@functools.lru_cache(maxsize=16)
def _places(degree: int) -> np.ndarray:
    """The index of each packed coefficient [2, m, j]; past the end where there is none."""
    m, j = np.arange(degree + 1)[:, None], np.arange(degree + 1)
    degrees = m + j
    middle = degrees * (degrees + 1)
    places = np.stack([middle + m, middle - m])
    missing = (degrees > degree) | ((m == 0) & np.array([False, True])[:, None, None])
    return np.where(missing, (degree + 1) ** 2, places)
