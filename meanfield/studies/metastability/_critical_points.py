from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from ...energies import Interaction
from ...landscape.clouds import critical_points, morse_count
from ..machinery import AbstractCellwiseStudy, Claim, check_that, some_of

CLOSED = "closed form of the configuration"
MORSE = "Milnor, Morse Theory (1963), section 5, on a torus"


@dataclass(frozen=True, kw_only=True)
class CriticalPoints(AbstractCellwiseStudy):
    """The clouds in which n equal tokens under unnormalized attention can linger, of every index.

    Searches for each index from `starts` random clouds on S^{d-1}. E_beta, with e^{beta (<x, y> - 1)}, is
    ascended by attention, so that `index` counts the directions in which it grows: 0 for one cluster, the
    most for tokens at even distances. `rate` is that of the fastest escape, `count` how many states were
    found, `found` from how many searches each. On the circle Morse's inequalities hold only of lists that
    can be complete.

    Source: Yin, Wang, Chen, Zhang, Zhang, Phys. Rev. Lett. 124 (2020) 090601, for the search.
    """

    n: tuple[int, ...] = (3, 4, 5, 6, 7, 8)
    """Numbers of tokens."""
    d: tuple[int, ...] = (2, 3)
    """Ambient dimensions."""
    beta: float = 2.0
    """Inverse temperature."""
    starts: int = field(default=128, metadata={"least": 4})
    """Random clouds, from each of which all indices are searched."""

    GRID: ClassVar = {"n": "n", "d": "d"}
    QUANTITIES: ClassVar = {
        "n": "tokens",
        "energy": "energy of a stationary cloud",
        "index": "directions in which the energy grows",
        "rate": "rate of the fastest escape",
        "orbit": "dimension of its rotations",
        "found": "searches that ended there",
        "count": "stationary clouds that were found",
        "residual": "largest speed that is left",
        "euler": "alternating sum of the counts of labelled clouds on the circle",
        "least": "least coefficient of the rest in Morse's inequalities on the circle",
        "state": "stationary cloud",
    }

    def check(self) -> None:
        check_that(min(self.n) >= 2, "n >= 2", min(self.n), "pass n=(3, 4)")
        check_that(self.beta > 0, "beta > 0", self.beta, "pass beta=2.0")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        energy = -Interaction(self.beta, offset=self.beta)
        found = critical_points(energy, cell["n"], cell["d"], self.key(cell), self.starts)
        return xr.Dataset(
            {
                "energy": ("state", -found.energy),
                "index": ("state", np.asarray(found.index, float)),
                "rate": ("state", found.rates[:, 0]),
                "orbit": ("state", np.asarray(found.orbit, float)),
                "found": ("state", np.asarray(found.found, float)),
                "count": ((), found.energy.size),
                "residual": ((), found.residual.max()),
                **_topology(found, cell["d"]),
            },
            {"state": np.arange(found.energy.size)},
        )

    def tiny(self) -> "CriticalPoints":
        return replace(self, n=some_of(self.n, (4,)), d=some_of(self.d, (3,)), starts=24)

    def claims_at(self, cell: dict[str, Any], at: xr.Dataset) -> list[Claim]:
        n, d = cell["n"], cell["d"]
        known = {"one cluster": (0, np.ones(n))}
        if n % 2 == 0:
            known["two equal clusters"] = (d - 1, np.repeat([1.0, -1.0], n // 2))
        if d == 2:
            known["polygon"] = (n - 1, np.cos(2 * np.pi * np.arange(n) / n))
        if n <= d + 1 and d > 2:
            flat = d * (d - 1) // 2 - (d - n + 1) * (d - n) // 2
            known["simplex"] = (n * (d - 1) - flat, np.append(1, np.full(n - 1, -1 / (n - 1))))
        claims = [
            self._claim(f"{name}, n={n}, d={d}", at, index, products)
            for name, (index, products) in known.items()
        ]
        # Searches end where the speed is 32 eps of the largest rate, which is below 1.
        name, source = f"speed that is left, n={n}, d={d}", "the end of Newton's method"
        claims.append(Claim.at_most(name, at.residual, 1e-14, source))
        if d > 2:
            return claims
        euler, rest = f"Euler characteristic, n={n}", f"rest in Morse's inequalities, n={n}"
        claims.append(Claim.close(euler, at.euler, 0, 0, MORSE))
        return [*claims, Claim.at_least(rest, at.least, 0, MORSE)]

    def _claim(self, name: str, at: xr.Dataset, index: int, products: np.ndarray) -> Claim:
        """The energy of the state of this index that is nearest to the closed form."""
        exact = np.exp(self.beta * (products - 1)).mean() / (2 * self.beta)
        energies = at.energy.values[at.index.values == index]
        gaps = np.abs(energies - exact)
        nearest = energies[gaps.argmin()] if np.isfinite(gaps).any() else np.nan
        # Energies are stationary: speeds of 1e-14 change them by rounding alone.
        return Claim.close(f"energy of {name}", nearest, exact, 1e-12, CLOSED)


def _topology(found, d: int) -> dict[str, Any]:
    """What Morse's inequalities leave on the circle; NaN elsewhere."""
    if d > 2:
        return {"euler": ((), np.nan), "least": ((), np.nan)}
    morse = morse_count(found)
    counts = np.asarray(morse.counts, float)
    signs = (-1.0) ** np.arange(counts.size)
    return {"euler": ((), counts @ signs), "least": ((), float(morse.rest.min()))}
