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
    do, the planner's players are nearer together and pay less.

    Over (who, kappa): `order`, the length r of the mean; `cost` in unit time, 0 for the uniform law; and
    the `density` over `angle`.

    Source: Yin, Mehta, Meyn, Shanbhag (2012), doi:10.1109/TAC.2011.2168082.
    """

    kappas: tuple[float, ...] = (0.2, 0.3, 0.4, 0.45, 0.51, 0.55, 0.6, 0.7, 0.8, 1.0, 1.3, 1.6, 2.0)
    """Strengths of the coupling."""
    noise: float = 0.5
    """Strength of the noise."""
    degree: int = 24
    """Of the harmonics."""
    angles: int = 181
    """Angles at which densities are shown."""

    GRID: ClassVar = {"kappa": "kappas"}
    QUANTITIES: ClassVar = {
        "order": "length of the mean",
        "cost": "cost in unit time",
        "effort": "share of control in it",
        "density": "density, relative to the uniform one",
        "who": "players by themselves, or a planner",
        "kappa": "strength of the coupling",
        "residual": "largest error of the equations",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        basis = Gegenbauer(2, self.degree)  # pyright: ignore[reportCallIssue]
        made: Any = MeanFieldGame
        game = made(basis, Kuramoto(cell["kappa"]), self.noise)
        found = {"nash": game.equilibrium(), "planner": game.planner()}
        angle = jnp.linspace(-jnp.pi, jnp.pi, self.angles)
        at = lambda name: ("who", np.array([getattr(one, name) for one in found.values()]))
        laws = [basis.evaluate(one.density, jnp.cos(angle)) for one in found.values()]
        names = ("order", "cost", "effort", "residual")
        return xr.Dataset(
            {**{name: at(name) for name in names}, "density": (("who", "angle"), np.array(laws))},
            {"who": list(found), "angle": angle},
        )

    def check(self) -> None:
        check_that(self.degree >= 12, "degree >= 12", self.degree, "pass degree=24")

    def tiny(self) -> "MeanFieldGames":
        return replace(self, kappas=some_of(self.kappas, (0.4, 0.6, 1.0)), degree=16, angles=25)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims, unit = [], self.noise**2
        for kappa in self.kappas:
            for who, factor in {"nash": 1, "planner": 2}.items():
                one, where = dataset.sel(kappa=kappa, who=who), f"{who}, kappa = {kappa:g}"
                pulled = factor * kappa
                if pulled < 0.95 * 2 * unit:
                    title = f"{where}: order below the threshold"
                    source = "linear stability: kappa_c = 2 noise^2, of a planner noise^2"
                    claims.append(Claim.close(title, one.order, 0, 1e-8, source))
                elif pulled > 1.01 * 2 * unit:
                    claims.append(_mathieu(where, one, pulled, factor, unit))
            pay = dataset.cost.sel(kappa=kappa)
            over = float(pay.sel(who="planner") - pay.sel(who="nash"))
            title = f"kappa = {kappa:g}: a planner's cost over that of Nash"
            claims.append(Claim.at_most(title, over, 0, "a planner is best", 1e-9))
        return claims


def _mathieu(where: str, one: xr.Dataset, pulled: float, factor: int, unit: float) -> Claim:
    """phi = sqrt m is the least state of -2 noise^2 phi'' - pulled r cos phi = E phi."""
    least = mathieu_a(0, pulled * float(one.order) / unit) * unit / 2
    # E = effort - pulled r^2, of which all pay a share 1/factor for being together.
    measured = one.effort + (one.cost - one.effort) * factor
    # Newton's method to 1e-11; harmonics of the order of degree 16 beyond.
    return Claim.close(
        f"{where}: Mathieu's eigenvalue", measured, least, 1e-7, "SciPy, Mathieu a_0"
    )
