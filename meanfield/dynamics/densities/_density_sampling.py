from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._typing import Key, Points
from ...harmonics import AbstractBasis, Fourier, Gegenbauer, SphericalHarmonics

_CELLS = 4096
_LATITUDES, _LONGITUDES = 128, 256


@partial(jax.jit, static_argnames=("basis", "n"))
def sample_density(key: Key, basis: AbstractBasis, coeffs: Float[Array, " k"], n: int) -> Points:
    """n independent points [n, d] of a density on the sphere; negative values count as 0.

    By the inverse of the distribution function over cells of constant density: in the polar angle,
    with a uniform direction across, for `Gegenbauer`; in the angle for `Fourier`; in latitude and
    longitude for `SphericalHarmonics`. Cells are h = pi/4096, pi/2048 and pi/128 wide, which biases
    the mean of a function by about h^2 times its second derivative.

    Raises ValueError for another basis.
    """
    known = {Gegenbauer: _zonal, Fourier: _on_circle, SphericalHarmonics: _on_s2}
    if type(basis) not in known:
        raise ValueError(f"expected a basis of this package, got {basis}; use Gegenbauer(d, K).")
    points = known[type(basis)](key, basis, coeffs, n)
    return jnp.where(jnp.isfinite(coeffs).all(), points, jnp.nan)


def _zonal(key: Key, basis: Gegenbauer, coeffs: Float[Array, " k"], n: int) -> Points:
    inner, side = jax.random.split(key)
    theta = (np.arange(_CELLS) + 0.5) * np.pi / _CELLS
    density = basis.evaluate(coeffs, jnp.asarray(np.cos(theta), coeffs.dtype))
    area = jnp.asarray(np.sin(theta) ** (basis.d - 2), coeffs.dtype)
    _, place = _draw(inner, density * area, n)
    angle = place[:, None] * (np.pi / _CELLS)
    normal = jax.random.normal(side, (n, basis.d - 1), coeffs.dtype)
    across = jnp.sin(angle) * normal / jnp.linalg.norm(normal, axis=1, keepdims=True)
    return jnp.concatenate([jnp.cos(angle), across], axis=1)


def _on_circle(key: Key, basis: Fourier, coeffs: Float[Array, " k"], n: int) -> Points:
    middle = (np.arange(_CELLS) + 0.5) * 2 * np.pi / _CELLS
    points = np.stack([np.cos(middle), np.sin(middle)], axis=1)
    _, place = _draw(key, basis.evaluate(coeffs, jnp.asarray(points, coeffs.dtype)), n)
    angle = place * (2 * np.pi / _CELLS)
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)


def _on_s2(key: Key, basis: SphericalHarmonics, coeffs: Float[Array, " k"], n: int) -> Points:
    around, upward = jax.random.split(key)
    # Equal steps of latitude, so that cells narrow toward the poles; within a cell z is uniform.
    edges = np.cos(np.pi * np.arange(_LATITUDES + 1) / _LATITUDES)
    z = ((edges[1:] + edges[:-1]) / 2)[:, None]
    phi = (np.arange(_LONGITUDES) + 0.5) * 2 * np.pi / _LONGITUDES
    radius = np.sqrt(1 - z * z)
    centres = np.broadcast_arrays(radius * np.cos(phi), radius * np.sin(phi), z)
    points = jnp.asarray(np.stack(centres, axis=-1).reshape(-1, 3), coeffs.dtype)
    area = jnp.asarray(np.repeat(edges[:-1] - edges[1:], _LONGITUDES), coeffs.dtype)
    cell, place = _draw(around, basis.evaluate(coeffs, points) * area, n)
    angle = place * (2 * np.pi / _LONGITUDES)
    top, bottom = (
        jnp.asarray(e, coeffs.dtype)[cell // _LONGITUDES] for e in (edges[:-1], edges[1:])
    )
    z = bottom + (top - bottom) * jax.random.uniform(upward, (n,), coeffs.dtype)
    radius = jnp.sqrt((1 - z) * (1 + z))
    return jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle), z], axis=1)


def _draw(key: Key, mass: Float[Array, " cells"], n: int) -> tuple[Array, Float[Array, " n"]]:
    """n cells by their masses, and a uniform place in each, counted in cells."""
    which, within = jax.random.split(key)
    cell = jax.random.choice(which, len(mass), (n,), p=jnp.maximum(mass, 0))
    return cell, cell.astype(mass.dtype) + jax.random.uniform(within, (n,), mass.dtype)
