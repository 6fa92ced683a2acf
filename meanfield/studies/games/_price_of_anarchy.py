from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...games.equilibrium import OneShot, nash, planner
from ...games.exact import LinearQuadratic
from ..machinery import AbstractCellwiseStudy, Claim, some_of
from ._plays import PLAYS


@dataclass(frozen=True, kw_only=True)
class PriceOfAnarchy(AbstractCellwiseStudy):
    """What it costs that models steer for themselves: the cost in Nash over that of a planner.

        (P^2 + q)/(2 P sqrt q),    P = sqrt(q (1 - 1/N)) in open loop, sqrt(q (N-1)/(N+1)) in feedback

    for endless games; over `horizon` the price of finite ones. In a game of one step,
    `mf.games.OneShot`, found by best responses, it is (1 + w^2 q)(1 + q)/(1 + w q)^2, w = 1 - 1/N.
    All fall to 1 as 1/N^2: of many models each is nearly alone with the barycenter.

    Source: Koutsoupias, Papadimitriou (1999), doi:10.1007/3-540-49116-3_38, for the notion.
    """

    players: tuple[int, ...] = (2, 3, 5, 10, 20)
    """Numbers of models."""
    running: float = 1.0
    """Weight q of the distance, also in the game of one step."""
    horizons: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    """How long finite games last."""

    GRID: ClassVar = {"players": "players"}
    QUANTITIES: ClassVar = {
        "endless": "price of anarchy of an endless game",
        "price": "price of anarchy",
        "step_price": "price of anarchy of a game of one step",
        "saved": "largest saving of one who leaves the equilibrium of one step, of all costs",
        "tempted": "largest saving of one who leaves the plan, of its cost",
        "play": "who knows what",
        "players": "number of models",
        "horizon": "how long the game lasts",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        made: Any = LinearQuadratic
        n, plays = cell["players"], ("open loop", "feedback")
        game = made(n, self.running, 0.0)
        endless = [game.price_of_anarchy(play=PLAYS[name]) for name in plays]
        price = [[game.price_of_anarchy(h, PLAYS[name]) for h in self.horizons] for name in plays]
        step: Any = OneShot(self.running)  # pyright: ignore[reportArgumentType]
        x0 = jnp.linspace(-1.0, 1.0, n)[:, None]
        alone, together = nash(step, x0), planner(step, x0)
        return xr.Dataset(
            {
                "endless": ("play", np.array(endless)),
                "price": (("play", "horizon"), np.array(price)),
                "step_price": ((), alone.costs.sum() / together.costs.sum()),
                "saved": ((), alone.exploitability.max() / alone.costs.sum()),
                # The same share for all but one in the middle, who pays nothing.
                "tempted": ((), together.exploitability[0] / together.costs[0]),
            },
            {"play": list(plays), "horizon": list(self.horizons)},
        )

    def tiny(self) -> "PriceOfAnarchy":
        return replace(
            self, players=some_of(self.players, (2, 3)), horizons=some_of(self.horizons, (1.0,))
        )

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        claims, q = [], self.running
        n = cell["players"]
        w = 1 - 1 / n
        for name, share in {"open loop": w, "feedback": (n - 1) / (n + 1)}.items():
            exact = (share + 1) / (2 * share**0.5)
            at = one.sel(play=name)
            title, source = f"{name}, N = {n}: price", "algebraic Riccati equations"
            # To rounding; but it must be told from 1.
            small = min(1e-9, (exact - 1) / 10)
            claims.append(Claim.close(title, at.endless, exact, small, source))
            least = at.price.min()
            claims.append(Claim.at_least(f"{title} over horizons", least, 1, "a planner is best"))
        exact = (1 + w**2 * q) * (1 + q) / (1 + w * q) ** 2
        # Controls to 1e-6; costs are flat for the planner, and not in Nash.
        title = f"N = {n}: price of one step"
        claims.append(Claim.close(title, one.step_price, exact, 1e-5, "best responses are linear"))
        title = f"N = {n}: share of all costs that one can save in one step"
        claims.append(Claim.at_most(title, one.saved, 0, "what an equilibrium is", 1e-6))
        # One at distance 1 is w + 1/(N (1 + q)) from where the mean of the plan leaves it.
        exact = 1 - (1 + q) * (w + 1 / (n * (1 + q))) ** 2 / (1 + w**2 * q)
        title = f"N = {n}: saving of one who leaves the plan"
        claims.append(Claim.close(title, one.tempted, exact, 1e-5, "best responses are linear"))
        return claims
