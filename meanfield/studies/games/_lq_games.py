from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import xarray as xr
from scipy.integrate import solve_ivp

from ...games.exact import LinearQuadratic
from ..machinery import Claim, Study, some_of
from ._plays import PLAYS


@dataclass(frozen=True, kw_only=True)
class LqGames(Study):
    """Models that steer toward the barycenter of all: how hard, how near they come, and what it costs.

    The linear-quadratic game of `mf.games.LinearQuadratic`, for clouds on the line. The more players,
    the more each of them feels of its distance, and the nearer is Nash to the planner; players who
    answer each other (feedback) do less than those who do not (open loop).

    Over (play, players, time), `gain` is P, and `left` the share of the deviations that is left; `cost`
    what a player pays for a deviation of 1.

    Source: Basar, Olsder, Dynamic Noncooperative Game Theory (1999), chapter 6.
    """

    plays: tuple[str, ...] = ("open loop", "feedback", "planner")
    """Who knows what, or plans for all."""
    players: tuple[int, ...] = (2, 3, 5, 20)
    """Numbers of models."""
    running: float = 2.0
    """Weight of the distance while the game lasts."""
    terminal: float = 0.5
    """Weight of the distance at the end."""
    horizon: float = 2.0
    """How long the game lasts."""
    frames: int = 81
    """Times, evenly spaced."""

    GRID: ClassVar = {"play": "plays", "players": "players"}
    QUANTITIES: ClassVar = {
        "gain": "gain of the control",
        "left": "share of the deviation that is left",
        "cost": "cost of a deviation of 1",
        "play": "who knows what",
        "players": "number of models",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        game, play = self._game(cell["players"]), PLAYS[cell["play"]]
        t = jnp.linspace(0.0, self.horizon, self.frames)
        return xr.Dataset(
            {
                "gain": ("time", game.gain(t, self.horizon, play)),
                "left": ("time", game.remaining(t, self.horizon, play)),
                "cost": ((), game.cost(self.horizon, play)),
            },
            {"time": t},
        )

    def tiny(self) -> "LqGames":
        return replace(self, players=some_of(self.players, (2, 3)), frames=11)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims, source = [], "closed loop and costs, integrated by SciPy"
        for name in self.plays:
            for players in self.players:
                one, where = dataset.sel(play=name, players=players), f"{name}, N = {players}"
                gain, left, cost = self._integrated(name, players)
                # Tolerances of the integration, times some.
                claims += [
                    Claim.close(f"{where}: gain at the start", one.gain[0], gain, 1e-7, source),
                    Claim.close(f"{where}: left at the end", one.left[-1], left, 1e-7, source),
                    Claim.close(f"{where}: cost", one.cost, cost, 1e-7, source),
                ]
        return claims

    def _game(self, players: int) -> LinearQuadratic:
        made: Any = LinearQuadratic
        return made(players, self.running, self.terminal)

    def _integrated(self, name: str, players: int) -> tuple[float, float, float]:
        """P(0), the share left and the cost, from the equations of a deviation alone."""
        felt = 1 if name == "planner" else 1 - 1 / players
        back = 1 + 1 / players if name == "feedback" else 1
        tight = {"rtol": 1e-10, "atol": 1e-11, "dense_output": True}
        riccati = lambda s, p: felt * self.running - back * p**2
        gains = solve_ivp(riccati, (0, self.horizon), [felt * self.terminal], **tight).sol

        def loop(t, y):
            p = gains(self.horizon - t)[0]
            return [-p * y[0], (p**2 + self.running) * y[0] ** 2 / 2]

        left, spent = solve_ivp(loop, (0, self.horizon), [1.0, 0.0], **tight).y[:, -1]
        return gains(self.horizon)[0], left, spent + self.terminal * left**2 / 2
