from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import mathieu_a

from ...games.meanfield import Kuramoto, MeanFieldGame
from ...harmonics import Gegenbauer
from ..machinery import Claim, Study, check_that, some_of


@dataclass(frozen=True, kw_only=True)
class MeanFieldGames(Study):
    """Oscillators who plan ahead: how they synchronize by themselves, and by a planner.

    Players on the circle pay for control and gain kappa r cos of their angle to the mean, r being its
    length. The square root of their law solves Mathieu's equation. They synchronize beyond
    kappa = 2 noise^2; a planner, to whom each pair counts twice, at half of that, and where both
    do, the planner's players are nearer together and pay less. Players who avoid crowds too, at a cost
    aversion log m, synchronize beyond 2 (noise^2 + aversion), less, and their planner at half of that.

    Over (who, kappa, aversion): `order`, the length r of the mean; `cost` in unit time, 0 for the uniform
    law; and the `density` over `angle`. `fisher`, noise^2/2 int |grad m|^2/m, is what `effort` is.

    Source: Yin, Mehta, Meyn, Shanbhag (2012), doi:10.1109/TAC.2011.2168082; Gueant, Lasry, Lions (2011),
    doi:10.1007/978-3-642-14660-2_3, for the aversion.
    """

    kappas: tuple[float, ...] = (0.2, 0.3, 0.4, 0.45, 0.51, 0.55, 0.6, 0.7, 0.8, 1.0, 1.3, 1.6, 2.0)
    """Strengths of the coupling."""
    aversions: tuple[float, ...] = (0.0, 0.1)
    """Aversions to crowds."""
    noise: float = 0.5
    """Strength of the noise."""
    degree: int = 24
    """Of the harmonics."""
    angles: int = 181
    """Angles at which densities are shown."""

    GRID: ClassVar = {"kappa": "kappas", "aversion": "aversions"}
    QUANTITIES: ClassVar = {
        "order": "length of the mean",
        "cost": "cost in unit time",
        "effort": "share of control in it",
        "density": "density, relative to the uniform one",
        "who": "players by themselves, or a planner",
        "fisher": "effort of players of this law",
        "kappa": "strength of the coupling",
        "aversion": "aversion to crowds",
        "residual": "largest error of the equations",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        basis = Gegenbauer(2, self.degree)  # pyright: ignore[reportCallIssue]
        made: Any = MeanFieldGame
        game = made(basis, Kuramoto(cell["kappa"]), self.noise, aversion=cell["aversion"])
        found = {"nash": game.equilibrium(), "planner": game.planner()}
        angle = jnp.linspace(-jnp.pi, jnp.pi, self.angles)
        at = lambda name: ("who", np.array([getattr(one, name) for one in found.values()]))
        laws = [basis.evaluate(one.density, jnp.cos(angle)) for one in found.values()]
        names = ("order", "cost", "effort", "residual")
        return xr.Dataset(
            {
                **{name: at(name) for name in names},
                "density": (("who", "angle"), np.array(laws)),
                "fisher": ("who", [self._fisher(basis, one.density) for one in found.values()]),
            },
            {"who": list(found), "angle": angle},
        )

    def check(self) -> None:
        check_that(self.degree >= 12, "degree >= 12", self.degree, "pass degree=24")

    def tiny(self) -> "MeanFieldGames":
        return replace(self, kappas=some_of(self.kappas, (0.4, 0.6, 1.0)), degree=16, angles=25)

    def _fisher(self, basis: Gegenbauer, density) -> float:
        slope, m = basis.node_gradient(density), basis.synthesize(density)
        return float(self.noise**2 / 2 * (basis.weights @ ((1 - basis.nodes**2) * slope**2 / m)))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = []
        for kappa in self.kappas:
            for aversion in self.aversions:
                both = dataset.sel(kappa=kappa, aversion=aversion)
                where = f"kappa = {kappa:g}, aversion = {aversion:g}"
                for who, factor in {"nash": 1, "planner": 2}.items():
                    one = both.sel(who=who)
                    claims += self._claims(f"{who}, {where}", one, factor * kappa, factor, aversion)
                over = float(both.cost.sel(who="planner") - both.cost.sel(who="nash"))
                title = f"{where}: a planner's cost over that of Nash"
                claims.append(Claim.at_most(title, over, 0, "a planner is best", 1e-9))
        return claims

    def _claims(self, where, one: xr.Dataset, pulled: float, factor, aversion) -> list[Claim]:
        unit = self.noise**2
        if pulled < 0.95 * 2 * (unit + aversion):
            title = f"{where}: order below the threshold"
            source = "linear stability: kappa_c = 2 (noise^2 + aversion), of a planner half of it"
            return [Claim.close(title, one.order, 0, 1e-8, source)]
        if pulled <= 1.01 * 2 * (unit + aversion):
            return []
        clustered = Claim.at_least(
            f"{where}: order above the threshold", one.order, 0.05, "bifurcation"
        )
        # m = e^{-V/noise}, to what truncation leaves where m is small.
        title = f"{where}: effort"
        effort = Claim.close(title, one.effort, float(one.fisher), 1e-6, "Fisher information")
        alone = [_mathieu(where, one, pulled, factor, unit)] if aversion == 0 else []
        return [clustered, effort, *alone]


def _mathieu(where: str, one: xr.Dataset, pulled: float, factor: int, unit: float) -> Claim:
    """phi = sqrt m is the least state of -2 noise^2 phi'' - pulled r cos phi = E phi."""
    least = mathieu_a(0, pulled * float(one.order) / unit) * unit / 2
    # E = effort - pulled r^2, of which all pay a share 1/factor for being together.
    measured = one.effort + (one.cost - one.effort) * factor
    # Newton's method to 1e-11; harmonics of the order of degree 16 beyond.
    return Claim.close(
        f"{where}: Mathieu's eigenvalue", measured, least, 1e-7, "SciPy, Mathieu a_0"
    )
