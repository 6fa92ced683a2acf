from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._checks import check_choice
from ...attention.kernels import Softmax
from ...dynamics.densities import FokkerPlanck
from ...harmonics import AbstractBasis, Fourier, SphericalHarmonics
from ...landscape.densities import growth_rates
from ...observables import state
from ...solve import simulate
from ..machinery import Claim, Study, check_that, some_of

PAPER = "Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794"
ROUGH = 4
"""Degrees up to which the start is rough, and is held against linear theory."""
SPACES = {2: "circle", 3: "sphere"}


@dataclass(frozen=True, kw_only=True)
class DensityFilm(Study):
    """The density of infinitely many tokens, on the circle and on S^2: uniform, clustered, fewer clusters.

    d_t rho = noise Lap rho - div(rho A[rho]) for softmax attention, from a nearly uniform density,
    rough in degrees 1 to 4 by coefficients of about `size`. Perturbations of degree k first grow like
    e^{g_k t}, g_k = lambda_k (q_k/beta - noise); then clusters form, of width about sqrt(noise), and
    merge, the last of them after a long wait.

    `circle` and `sphere` are the densities over `frame`, on grids finer than they need; `power` is
    the norm of the coefficients of degree k, and `minimum` the least density at the nodes.

    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, section 3.
    """

    dimensions: tuple[int, ...] = (2, 3)
    """Ambient dimensions: 2 for the circle, 3 for S^2."""
    beta: float = 9.0
    """Inverse temperature."""
    noise: float = 0.04
    """Strength of the noise: it must be so large that `degree` is about 6/sqrt(noise)."""
    degree: int = 40
    """Of the harmonics."""
    size: float = 0.02
    """Of the coefficients at the start."""
    end: float = 40.0
    """Final time."""
    frames: int = 81
    """Times, evenly spaced."""

    GRID: ClassVar = {"d": "dimensions"}
    QUANTITIES: ClassVar = {
        "power": "norm of the modes of a degree",
        "growth": "growth rate, in theory",
        "minimum": "least value of the density",
        "circle": "density on the circle",
        "sphere": "density on the sphere",
        "longitude": "longitude [rad]",
        "latitude": "latitude [rad]",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        d, attention = cell["d"], Softmax(self.beta)
        basis, fine = _bases(d, self.degree)
        equation = FokkerPlanck(basis, attention, self.noise)  # pyright: ignore[reportCallIssue]
        ts = jnp.linspace(0.0, self.end, self.frames)
        observe = {"c": state, "minimum": equation.minimum}
        run = simulate(equation, self._start(cell, basis), ts, observe=observe, tol=1e-6)
        c = run.values["c"]
        density = fine.synthesize(jnp.pad(c, ((0, 0), (0, fine.size - basis.size))))
        power = jnp.stack([_power(basis, c, k) for k in range(1, ROUGH + 1)])
        growth = growth_rates(attention, d, self.noise, ROUGH)[1:]
        return _on_grid(d, fine, np.asarray(density)).assign(
            power=(("degree", "frame"), power),
            growth=("degree", growth),
            minimum=("frame", run.values["minimum"]),
            time=("frame", ts),
        )

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        shared = ["power", "growth", "minimum"]
        stacked = xr.concat([part[shared] for part in parts], dim="d")
        pictures = [part.drop_vars(shared) for part in parts]
        merged = xr.merge([stacked, *pictures], compat="no_conflicts")
        return merged.assign_coords(d=list(self.dimensions))

    def check(self) -> None:
        for d in self.dimensions:
            check_choice(d, SPACES, "dimensions")
        check_that(self.degree >= ROUGH, f"degree >= {ROUGH}", self.degree, "pass degree=40")
        check_that(self.end >= 1 and self.frames > 1, "end >= 1 and frames > 1",
                   (self.end, self.frames), "growth is measured up to t = 1")  # fmt: skip

    def tiny(self) -> "DensityFilm":
        few = {"degree": 24, "end": 8.0, "frames": 17}
        return replace(self, dimensions=some_of(self.dimensions, (2,)), **few)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = []
        at = dataset.isel(frame=2 * (self.frames - 1) // round(2 * self.end))  # the time 1
        start = dataset.isel(frame=0)
        for d in self.dimensions:
            where = SPACES[d]
            low = dataset.minimum.sel(d=d).values.min()
            name = f"least density, {where}"
            claims.append(Claim.at_least(name, low, 0, "a density is positive", 1e-3))
            rate = np.log(at.power / start.power).sel(d=d) / at.time
            off = np.abs((rate - dataset.growth.sel(d=d)).values).max()
            # Products of two other coefficients drive each, at rates up to lambda_k/beta.
            error = 2 * self.size
            name = f"growth of degrees 1 to {ROUGH} up to t = 1, off by, {where}"
            claims.append(Claim.close(name, off, 0, error, f"{PAPER}, linearized"))
        return claims

    def _start(self, cell: dict[str, Any], basis: AbstractBasis) -> Float[Array, " k"]:
        rough = basis.degrees <= ROUGH
        noise = self.size * jax.random.normal(self.key(cell), (basis.size,))
        return jnp.where(rough, noise, 0.0).at[0].set(1.0)


def _bases(d: int, degree: int) -> tuple[AbstractBasis, AbstractBasis]:
    """The basis of the computation, and one of the same order with a grid fine enough for the eye."""
    kind, fine = (Fourier, 128) if d == 2 else (SphericalHarmonics, 64)
    return kind(degree), kind(max(fine, degree))  # pyright: ignore[reportCallIssue]


def _power(basis: AbstractBasis, c: Float[Array, "frames k"], k: int) -> Float[Array, " frames"]:
    return jnp.linalg.norm(c[:, np.flatnonzero(basis.degrees == k)], axis=1)


def _on_grid(d: int, basis: AbstractBasis, density: np.ndarray) -> xr.Dataset:
    if d == 2:
        return xr.Dataset(
            {"circle": (("frame", "angle"), density)}, {"angle": np.asarray(basis.nodes)}
        )
    x, y, z = np.asarray(basis.nodes).T
    latitude, longitude = np.unique(np.arcsin(z).round(12)), np.arctan2(y, x)
    longitude = longitude[: x.size // latitude.size]
    values = density.reshape(len(density), latitude.size, longitude.size).astype(np.float32)
    grid = {"latitude": latitude, "longitude": longitude}
    return xr.Dataset({"sphere": (("frame", *grid), values)}, grid)
