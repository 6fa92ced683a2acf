from dataclasses import dataclass, replace
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import ndtri

from ...energies import AbstractEnergy, Entropy, InternalEnergy, Pairwise, Potential
from ...schemes import QuantileJKO
from ...solve import rollout
from ..machinery import Claim, Study, some_of

RESOLVED = 1e-9
"""Free energies nearer to the least one than this, of the first gap, are rounding."""


@dataclass(frozen=True, kw_only=True)
class FreeEnergyRates(Study):
    """The free energy falls as fast as convexity says, at each step of any size.

        F(rho_{k+1}) - F* <= (F(rho_k) - F*)/(1 + lambda tau)^2

    for energies that are lambda-convex along geodesics; e^{-2 lambda t} as tau -> 0, the bound of
    Bakry and Emery. Its proof: with xi = (X_k - X_{k+1})/tau the gradient at the new law,
    F_k - F_{k+1} >= tau (1 + lambda tau/2) |xi|^2, and |xi|^2 >= 2 lambda (F_{k+1} - F*). Quantiles
    inherit the convexity, so that it holds at any number of them. Cases, all with lambda = 1: `normal`
    (V = x^2/2, entropy: the bound is attained by the mean), `quartic` (V = x^2/2 + x^4/4), `pairs`
    (x^2/2 and pairs that attract by (x - y)^2/8), `porous medium` (x^2/2, int rho^2).

    The dataset has, over (case, tau, step), the `gap` F - F* and its `bound`.

    Source: Bakry, Emery (1985), doi:10.1007/BFb0075847; Otto (2001), doi:10.1081/PDE-100002243;
    Carrillo, McCann, Villani (2003), doi:10.4171/RMI/376.
    """

    cases: tuple[str, ...] = ("normal", "quartic", "pairs", "porous medium")
    """Energies."""
    taus: tuple[float, ...] = (0.02, 0.1, 0.5)
    """Steps."""
    n: int = 64
    """Quantiles."""
    steps: int = 40
    """Steps taken."""

    GRID: ClassVar = {"case": "cases"}
    QUANTITIES: ClassVar = {
        "gap": "free energy above the least",
        "bound": "bound from convexity",
        "case": "energy",
        "tau": "step tau",
    }

    def compute(self, cell: dict) -> xr.Dataset:
        energy = _energy(cell["case"])
        # Away from the middle, and with two bumps.
        z = ndtri((np.arange(self.n) + 0.5) / self.n)
        start = jnp.asarray(1.5 + z / 4 + np.tanh(3 * z))
        look = {"x": lambda x: x}
        ends = {
            tau: rollout(QuantileJKO(energy, tau), start, self.steps, observe=look)
            for tau in (*self.taus, 1e3)
        }
        # A few steps of a thousand are at the bottom.
        least = ends.pop(1e3).stats["energy"].min()
        first = energy.on_quantiles(QuantileJKO(energy, 1.0).domain, start) - least
        gaps = [np.append(first, run.stats["energy"] - least) for run in ends.values()]
        powers = np.arange(self.steps + 1)
        bounds = [first * (1 + tau) ** (-2.0 * powers) for tau in self.taus]
        dims = ("tau", "step")
        return xr.Dataset(
            {"gap": (dims, np.array(gaps)), "bound": (dims, np.array(bounds))},
            {"tau": list(self.taus), "step": powers},
        )

    def tiny(self) -> "FreeEnergyRates":
        kept = {"cases": some_of(self.cases, ("normal",)), "taus": some_of(self.taus, (0.1,))}
        return replace(self, **kept, n=16, steps=20)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for case in self.cases:
            for tau in self.taus:
                gap = dataset.gap.sel(case=case, tau=tau).values
                kept = ~(gap[1:] <= RESOLVED * gap[0])  # and so is a NaN, which then fails
                kept[0] = True
                # Each gap carries the rounding of energies of order one, 1e-15.
                share = gap[1:][kept] / gap[:-1][kept] * (1 + tau) ** 2
                name = f"{case}, tau = {tau:g}: F - F* in a step, over the bound"
                source = "Bakry, Emery (1985), for implicit steps"
                made.append(Claim.at_most(name, share.max(), 1.0, source, 1e-5))
                if case == "normal" and share.size == self.steps:
                    name = f"normal, tau = {tau:g}: the same in the last step"
                    made.append(Claim.close(name, share[-1], 1.0, 0.2, source))
        return made


def _energy(case: str) -> AbstractEnergy:
    well = Potential(lambda x: x[0] ** 2 / 2)
    energies = {
        "normal": lambda: well + Entropy(),
        "quartic": lambda: Potential(lambda x: x[0] ** 2 / 2 + x[0] ** 4 / 4) + Entropy(),
        "pairs": lambda: well + Pairwise(lambda x, y: (x - y) @ (x - y) / 8) + Entropy(),
        "porous medium": lambda: well + InternalEnergy(2.0),
    }
    return energies[case]()
