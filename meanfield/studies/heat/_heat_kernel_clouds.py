from dataclasses import dataclass, replace
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import eval_chebyt, eval_legendre

from ..._checks import check_choice
from ...attention.kernels import Sinkhorn
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...harmonics import SphericalHarmonics
from ...measures import HeatKernel
from ...observables import state
from ...solve import simulate
from ..machinery import Claim, Study, check_that, some_of
from ._heat_flows import SOURCE

DEGREES = (1, 2, 3)
PICTURES = ("histogram", "kernel", "map", "kernel_map")
"""What belongs to one dimension alone."""
GRID = 180
"""Angles of the exact density on the circle; as many longitudes on the sphere, and half the latitudes."""


@dataclass(frozen=True, kw_only=True)
class HeatKernelClouds(Study):
    """Tokens on the circle and on S^2 that repel by Sinkhorn attention, beside the heat kernel.

        x' = -P_x E[y | x] / eps,  kernel e^{<x, y> / eps}:   heat kernel of age `age` + t/2 at time t

    up to sampling and errors of order eps. The start is drawn from the heat kernel of age `age`. Over
    (d, time, k), `moment` holds the means of P_k(x_1), k = 1, 2, 3 (cos of k angles, Legendre), `exact`
    their values e^{-lambda_k (age + t/2)}, `allowed` what they may differ by: four standard errors, and
    twice the first order of what eps does near the uniform law, (t/8) lambda_k^2 eps times `exact`. Claimed
    are those with `allowed` below half of `exact`, which no moment of 0 would pass.
    Over d, `residual` is the error of Sinkhorn's marginals. For pictures, over time: the `histogram` of
    angles (d = 2) beside the `kernel`, and the density of the cloud (d = 3) after the heat flow of
    time `smoothing`, `map`, beside the heat kernel equally smoothed, `kernel_map`.

    Source: Sander, Ablin, Blondel, Peyre (2022), arXiv 2110.11773, theorem 1.
    """

    dimensions: tuple[int, ...] = (2, 3)
    """Ambient dimensions, 2 or 3."""
    n: int = 1500
    """Tokens."""
    eps: float = 0.05
    """Variance of the kernel."""
    age: float = 0.05
    """Age of the heat kernel at the start."""
    times: tuple[float, ...] = (0.0, 0.2, 0.8)
    """Times of the pictures, the start first."""
    bins: int = 48
    """Cells of the histogram on the circle."""
    smoothing: float = 0.02
    """Time of the heat flow that smooths the density on the sphere."""

    GRID: ClassVar = {"d": "dimensions"}
    QUANTITIES: ClassVar = {
        "moment": "mean of P_k(x_1) over the tokens",
        "exact": "mean of P_k(x_1) of the heat kernel",
        "allowed": "how far they may be apart",
        "map": "density of the cloud, smoothed",
        "kernel_map": "heat kernel, smoothed",
        "histogram": "density of the tokens",
        "kernel": "heat kernel",
        "k": "degree of the polynomial",
        "longitude": "longitude [rad]",
        "latitude": "latitude [rad]",
    }

    def compute(self, cell: dict) -> xr.Dataset:
        d = cell["d"]
        attention = Sinkhorn(1 / self.eps, value=-jnp.eye(d) / self.eps, tol=1e-7)
        x0 = HeatKernel(d, self.age).sample(self.key(cell), self.n)
        path = simulate(
            AttentionFlow(Sphere(d), attention), x0, jnp.asarray(self.times),
            observe={"x": state}, dt=self.eps,
        ).values["x"]  # fmt: skip
        k, t = np.array(DEGREES), np.array(self.times)
        rate = k * (k + d - 2)
        exact = np.exp(-rate * (self.age + t[:, None] / 2))
        polynomial = eval_chebyt if d == 2 else eval_legendre
        each = polynomial(k, np.asarray(path)[:, :, :1])  # [time, n, k]
        sampling = 4 * each.std(axis=1) / np.sqrt(self.n)
        parts = {
            "moment": (("time", "k"), each.mean(axis=1)),
            "exact": (("time", "k"), exact),
            "allowed": (("time", "k"), sampling + t[:, None] / 4 * rate**2 * self.eps * exact),
            "residual": ((), max(float(attention.solve(x).error) for x in path)),
        }
        picture = self._rings(path) if d == 2 else self._maps(path)
        return xr.Dataset(parts | picture, {"time": list(self.times), "k": list(DEGREES)})

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        pictures = {k: v for part in parts for k, v in part.items() if k in PICTURES}
        axes = {axis for picture in pictures.values() for axis in picture.dims} - {"time"}
        numbers = [part.drop_dims(axes & {*part.dims}) for part in parts]
        return super().assemble(numbers).assign(pictures)

    def check(self) -> None:
        for d in self.dimensions:
            check_choice(d, (2, 3), "dimensions")
        check_that(self.times[0] == 0 and list(self.times) == sorted(set(self.times)),
                   "ascending times from 0", self.times, "the start is one of them")  # fmt: skip

    def tiny(self) -> "HeatKernelClouds":
        few = {"n": 120, "times": self.times[:2]}
        return replace(self, dimensions=some_of(self.dimensions, (3,)), **few)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        name, made = "moments off the heat kernel, over what is allowed", []
        for d in self.dimensions:
            moment, exact, allowed = (
                dataset[part].sel(d=d).values for part in ("moment", "exact", "allowed")
            )
            telling = ~(allowed >= exact / 2)  # and so is a NaN, which then fails
            if telling.any():
                worst = (np.abs(moment - exact) / allowed)[telling].max()
                made.append(Claim.at_most(f"d = {d}: {name}", worst, 1, SOURCE))
        worst = dataset.residual.values.max()
        return [*made, Claim.at_most("marginal error of Sinkhorn attention", worst, 1e-6, "ott")]

    def _rings(self, path) -> dict:
        """Histograms of angles and heat kernels, as densities against the uniform law."""
        edges = np.linspace(-np.pi, np.pi, self.bins + 1)
        angles = np.arctan2(path[..., 1], path[..., 0])
        counts = np.array([np.histogram(a, edges)[0] for a in np.asarray(angles)])
        at = np.linspace(-np.pi, np.pi, GRID + 1)
        points = jnp.stack([jnp.cos(at), jnp.sin(at)], axis=-1)
        return {
            "histogram": (("time", "bin"), counts * self.bins / self.n),
            "kernel": (("time", "angle"), self._kernels(points, 0.0)),
            "bin": (edges[1:] + edges[:-1]) / 2,
            "angle": at,
        }

    def _maps(self, path) -> dict:
        basis = SphericalHarmonics(16)
        longitude = 2 * np.pi * (np.arange(GRID) + 0.5) / GRID - np.pi
        latitude = np.pi * (np.arange(GRID // 2) + 0.5) / (GRID // 2) - np.pi / 2
        up, along = np.meshgrid(latitude, longitude, indexing="ij")
        points = jnp.asarray(
            np.stack([np.cos(up) * np.cos(along), np.cos(up) * np.sin(along), np.sin(up)], axis=-1)
        )
        found = [
            basis.evaluate(basis.heat(basis.moments(x), self.smoothing), points.reshape(-1, 3))
            for x in path
        ]
        shape = (len(self.times), *up.shape)
        return {
            "map": (("time", "latitude", "longitude"), np.reshape(found, shape)),
            "kernel_map": (
                ("time", "latitude", "longitude"),
                self._kernels(points, self.smoothing),
            ),
            "longitude": longitude,
            "latitude": latitude,
        }

    def _kernels(self, points, older: float) -> np.ndarray:
        """The heat kernels of the age at each time, and `older`."""
        ages = self.age + np.array(self.times) / 2 + older
        d = points.shape[-1]
        return np.stack([np.exp(HeatKernel(d, float(a)).log_density(points)) for a in ages])
