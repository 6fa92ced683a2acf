"""Sums over clouds on S^2 by non-uniform FFTs in both angles: O(n), whatever the degree."""

import functools
import importlib
import logging
import warnings
from importlib import util

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from ..._typing import Masses, Points, Sources, Weights
from ...harmonics import meridian_waves

_TOGETHER = 2**13
"""Tokens that a transform may add up in order in float32: the error grows with them."""

# A fixed rotation that turns no axis of coordinates into a pole, where longitudes have no derivative.
_TURN = np.linalg.qr(np.array([[3.0, 1.0, -2.0], [-1.0, 4.0, 1.0], [2.0, -1.0, 5.0]]))[0]


@functools.cache
def has_nufft() -> bool:
    """Whether jax_finufft (the extra `nufft`) can be imported; it warns where one that is there cannot."""
    if util.find_spec("jax_finufft") is None:
        return False
    try:
        _nufft()
    except Exception as error:  # of a library that was built for others, whatever it raises
        warnings.warn(
            f"expected jax_finufft to be imported, got {type(error).__name__}: {error}; sums on S^2 do "
            "without it: reinstall the extra, pip install --force-reinstall 'meanfield-jax[nufft]'.",
            stacklevel=2,
        )
        return False
    return True


@functools.cache
def advise_nufft() -> None:
    """Says, once in a process and to whoever listens, that the extra would help; commands do."""
    logging.getLogger("meanfield").info(
        "sums over many tokens on S^2 are far faster with pip install 'meanfield-jax[nufft]'"
    )


def smoothed_sums(
    x: Points,
    y: Sources,
    w: Masses,
    multipliers: Float[Array, " l"],
    eps: float,
) -> tuple[Float[Array, " n"], Float[Array, "n d"]]:
    """sum_j w_j K(<x_i, y_j>) and sum_j w_j K(<x_i, y_j>) y_j at unit vectors x [n, 3].

    `multipliers` [K + 1] are those of the kernel by degree (Funk and Hecke). Every harmonic of degree
    l is a trigonometric polynomial of that degree in theta and phi: a transform of type 1 takes the
    cloud to its double Fourier series, a small matrix for each order m applies the kernel, and one
    of type 2 returns to the tokens. Since y_j is such a polynomial of degree 1, the moments of
    w y are those of w, shifted. `eps` is the relative accuracy of the transforms.

    Source: Townsend, Wilber, Wright, arXiv 1510.08094 (double Fourier sphere); Barnett, Magland, af
    Klinteberg, arXiv 1808.06736 (the transforms).
    """
    if x.dtype == jnp.float32 and jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        # The derivatives of the library then mix both precisions.
        x64, y64, w64, kernel = (a.astype(jnp.float64) for a in (x, y, w, multipliers))
        masses, moments = smoothed_sums(x64, y64, w64, kernel, eps)
        return masses.astype(x.dtype), moments.astype(x.dtype)
    turn = jnp.asarray(_TURN, x.dtype)
    degree = len(multipliers) - 1
    cloud = _moments(y @ turn.T, w, degree + 1, eps)
    # The functions 1 + i z and x + i y, which make two complex transforms of four real ones.
    up, down = cloud[:-2, 1:-1], cloud[2:, 1:-1]
    first = cloud[1:-1, 1:-1] + 0.5j * (up + down)
    second = -0.5j * (cloud[:-2, :-2] - cloud[2:, :-2])
    waves = _convolve(jnp.stack([first, second]), multipliers)
    one, two = _evaluate(waves, x @ turn.T, eps)
    return one.real, jnp.stack([two.real, two.imag, one.imag], axis=1) @ turn


def _angles(x: Points) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Colatitude and longitude."""
    return jnp.arctan2(jnp.hypot(x[:, 0], x[:, 1]), x[:, 2]), jnp.arctan2(x[:, 1], x[:, 0])


def _moments(y: Points, w: Weights, degree: int, eps: float) -> Complex[Array, "k m"]:
    """sum_j w_j e^{-i (k theta_j + m phi_j)} for |k|, |m| <= degree.

    The library adds tokens to its grid in order, so that of many at one place float32 loses digits: they go
    in parts, of which each costs more than its grid.
    """
    shape = (2 * degree + 1,) * 2

    def part(tokens: tuple[Points, Weights]) -> Complex[Array, "k m"]:
        places, mass = tokens
        # The derivatives of the library mix real and complex numbers.
        with jax.numpy_dtype_promotion("standard"):
            masses = jax.lax.complex(mass, jnp.zeros_like(mass))
            return _nufft().nufft1(shape, masses, *_angles(places), eps=eps, iflag=-1)

    size = max(_TOGETHER, 4 * shape[0] ** 2)
    if w.dtype != jnp.float32 or len(w) <= size:
        return part((y, w))
    parts = -(-len(w) // size)
    size = -(-len(w) // parts)
    # What fills the last part up has no mass.
    more = [(0, parts * size - len(w))]
    y, w = jnp.pad(y, [*more, (0, 0)], mode="edge"), jnp.pad(w, more)
    found = jax.lax.map(part, (y.reshape(parts, size, -1), w.reshape(parts, size)))
    return found.sum(axis=0)


def _evaluate(waves: Complex[Array, "s k m"], x: Points, eps: float) -> Complex[Array, "s n"]:
    """sum_km waves_km e^{i (k theta + m phi)}."""
    with jax.numpy_dtype_promotion("standard"):
        return _nufft().nufft2(waves, *_angles(x), eps=eps, iflag=1)


def _nufft():
    return importlib.import_module("jax_finufft")


def _convolve(
    moments: Complex[Array, "s k m"], multipliers: Float[Array, " l"]
) -> Complex[Array, "s k m"]:
    """The double Fourier series of the convolution of clouds with a kernel, from their moments."""
    degree = len(multipliers) - 1
    dtype = multipliers.dtype
    table = jnp.asarray(meridian_waves(degree), dtype)
    # Odd orders are sine series, of coefficients -i q: twice, for the cloud and for the function.
    m = np.abs(np.arange(-degree, degree + 1))
    sign = jnp.asarray(np.where(m == 0, 1.0, 0.5) * np.where(m % 2, -1.0, 1.0), dtype)
    parts = jnp.stack([moments.real, moments.imag])[:, :, ::-1] * sign
    coeffs = jnp.einsum("mlk,cskm->csml", table[m], parts, precision="highest")
    waves = jnp.einsum("mlk,csml->cskm", table[m], coeffs * multipliers, precision="highest")
    return jax.lax.complex(*waves)
