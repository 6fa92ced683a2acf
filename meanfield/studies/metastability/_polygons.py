from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.optimize import brentq

from ...energies import Interaction
from ...landscape.clouds import escape_rates
from ..machinery import AbstractCellwiseStudy, Claim, check_that, some_of

CIRCULANT = "eigenvalues of a circulant matrix"
ZERO = 1e-12
"""The share of the largest rate up to which one is that of a rotation: rounding of k terms, and more."""


@dataclass(frozen=True, kw_only=True)
class Polygons(AbstractCellwiseStudy):
    """Regular k-gons on the circle under unnormalized attention: how fast each mode of them grows.

        rate_m = (1/k) sum_{j=1}^{k-1} [beta sin^2 a_j - cos a_j] e^{beta cos a_j - |beta|} (1 - cos m a_j)

    with a_j = 2 pi j/k: eigenvalues of the Hessian, which is circulant, held against those of
    `escape_rates`. For beta > 0 all k - 1 modes but the rotation grow. Below a negative beta, -2/3 for
    the triangle, those of an odd k fall; if k is even, the tokens opposite each other always part.

    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, for the energy.
    """

    k: tuple[int, ...] = (2, 3, 4, 5, 6, 7)
    """Numbers of corners."""
    beta: tuple[float, ...] = (-9.0, -4.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0, 9.0)
    """Inverse temperatures, positive and negative, but 0."""

    GRID: ClassVar = {"k": "k"}
    QUANTITIES: ClassVar = {
        "k": "number of corners",
        "rate": "growth rate",
        "rate_exact": "growth rate, in closed form",
        "unstable": "modes that grow",
        "stable": "inverse temperature below which no mode grows",
        "stable_exact": "inverse temperature below which no mode grows, in closed form",
        "place": "place of a rate among those of its polygon, the largest first",
    }

    def check(self) -> None:
        check_that(min(self.k) >= 2, "k >= 2", min(self.k), "pass k=(3, 4)")
        check_that(all(self.beta), "beta other than 0", self.beta, "pass beta=(-1.0, 1.0)")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        k = cell["k"]
        found = np.stack([_measured(k, beta) for beta in self.beta])
        exact = np.stack([np.sort(closed_form(k, beta))[::-1] for beta in self.beta])
        growing = (found > ZERO * np.abs(found).max(axis=1, keepdims=True)).sum(axis=1)
        # Modes m and k - m of an odd polygon are as fast: when they fall, the second largest rate does.
        below = brentq(lambda b: _measured(k, b)[1], -20, 0.5, xtol=1e-13) if k % 2 else np.nan
        there = brentq(lambda b: closed_form(k, b)[1:].max(), -20, 0.5, xtol=1e-13) if k % 2 else 0
        return xr.Dataset(
            {
                "rate": (("beta", "place"), found),
                "rate_exact": (("beta", "place"), exact),
                "unstable": ("beta", growing.astype(float)),
                "stable": ((), below),
                "stable_exact": ((), there if k % 2 else np.nan),
            },
            {"beta": list(self.beta), "place": np.arange(k)},
        )

    def tiny(self) -> "Polygons":
        return replace(
            self, k=some_of(self.k, (3, 4)), beta=some_of(self.beta, (-1.0, -0.5, 1.0, 4.0))
        )

    def claims_at(self, cell: dict[str, Any], at: xr.Dataset) -> list[Claim]:
        k = cell["k"]
        at = at.isel(place=slice(k))
        gap = np.abs(at.rate - at.rate_exact).max(skipna=False)
        claims = [Claim.close(f"spectra, k={k}", gap, 0, 1e-10, CIRCULANT)]
        above = at.unstable.sel(beta=[beta for beta in self.beta if beta > 0])
        for beta in above.beta.values:
            name = f"modes that grow, k={k}, beta={beta:g}"
            claims.append(Claim.close(name, above.sel(beta=beta), k - 1, 0, "all but the rotation"))
        if k % 2 == 0:
            source = "opposite tokens part at e^{-beta - |beta|}/k and more"
            least = at.unstable.min(skipna=False)
            return [*claims, Claim.at_least(f"modes that always grow, k={k}", least, 1, source)]
        # Rates are right to 1e-15; their slopes there are 1e-2 and more.
        exact = -2 / 3 if k == 3 else at.stable_exact
        source = "3 beta/4 = -1/2" if k == 3 else CIRCULANT
        return [*claims, Claim.close(f"stable below, k={k}", at.stable, exact, 1e-11, source)]


def closed_form(k: int, beta: float) -> np.ndarray:
    """The rates of modes m = 0 .. k - 1, [k]: the first, of the rotation, is 0."""
    a = 2 * np.pi * np.arange(1, k) / k
    forces = (beta * np.sin(a) ** 2 - np.cos(a)) * np.exp(beta * np.cos(a) - abs(beta)) / k
    return (1 - np.cos(np.outer(np.arange(k), a))) @ forces


def _measured(k: int, beta: float) -> np.ndarray:
    a = 2 * np.pi * np.arange(k) / k
    corners = jnp.asarray(np.stack([np.cos(a), np.sin(a)], axis=1))
    return np.asarray(escape_rates(-Interaction(beta, offset=abs(beta)), corners))
