from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from ...games.meanfield import Kuramoto, MeanFieldGame, fictitious_play, mean_field_path
from ...harmonics import Gegenbauer
from ..machinery import Claim, Study, check_that, some_of

WHO = ("nash", "planner")


@dataclass(frozen=True, kw_only=True)
class MeanFieldPaths(Study):
    """Oscillators who plan ahead for a while: by themselves, by a planner, and as they learn to.

    Up to a horizon players pay for control and gain kappa r cos of their angle to the mean, from a law with
    an axis. Each path is found twice. In fictitious play they answer the mean of laws of all rounds, and
    what is off falls like a power of the round, 1/n at most, slower the more they attract; Newton's
    method begins there, and ends at the trapezoidal rule's own path. From rest it may end at another one,
    of kappa = 1 at a planner's path that is stationary and costs more than Nash: `mean_field_path` seeks a
    planner's path from some rounds of play too, and takes the better one.

    Over (kappa, who): `cost` and `exploitability` of the path, its `order` over `time`, `still`, the order of
    a game without end; `learned`, the cost of players who draw one of the rounds; `off`, the largest
    coefficient by which the mean of their laws is off; `apart` over `round`, by which it is from its answer.
    `direct` is the cost of a planner's path that is found without a guess.

    Source: Cardaliaguet and Hadikhanloo (2017), doi:10.1051/cocv/2016004; Cardaliaguet, Lasry, Lions,
    Porretta (2012), doi:10.3934/nhm.2012.7.279, for long horizons.
    """

    kappas: tuple[float, ...] = (0.2, 0.4, 0.7, 1.0)
    """Strengths of the coupling."""
    noise: float = 0.5
    """Strength of the noise."""
    end: float = 8.0
    """Length of the game."""
    steps: int = 32
    """In time."""
    rounds: int = 100
    """Of fictitious play."""
    degree: int = 12
    """Of the harmonics."""

    GRID: ClassVar = {"kappa": "kappas"}
    QUANTITIES: ClassVar = {
        "cost": "cost of a player",
        "exploitability": "what could be saved",
        "order": "length of the mean",
        "still": "length of the mean in a game without end",
        "learned": "cost of players who draw one of the rounds",
        "off": "error of the mean of laws",
        "apart": "distance of the mean of laws from its answer",
        "direct": "cost of a planner's path without a guess",
        "converged": "whether the path was found",
        "who": "players by themselves, or a planner",
        "kappa": "strength of the coupling",
        "time": "time",
        "round": "round of fictitious play",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        made: Any = MeanFieldGame
        basis = Gegenbauer(2, self.degree)  # pyright: ignore[reportCallIssue]
        game = made(basis, Kuramoto(cell["kappa"]), self.noise)
        problem = game, basis.analyze(1 + 0.3 * basis.nodes), self.end, self.steps
        found, learned = [], []
        for planner in (False, True):
            play = fictitious_play(*problem, planner=planner, rounds=self.rounds, tol=1e-9)
            guess = play.path.value
            found.append(mean_field_path(*problem, planner=planner, guess=guess))
            learned.append(play)
        still = game.equilibrium(), game.planner()
        off = [
            abs(play.path.density - one.density).max()
            for play, one in zip(learned, found, strict=True)
        ]
        of = lambda name: ("who", np.array([getattr(one, name) for one in found]))
        return xr.Dataset(
            {
                **{name: of(name) for name in ("cost", "exploitability", "converged")},
                "order": (("who", "time"), np.array([one.order for one in found])),
                "still": ("who", np.array([one.order for one in still])),
                "learned": ("who", np.array([play.path.cost for play in learned])),
                "off": ("who", np.array(off)),
                "apart": (("who", "round"), np.array([play.apart for play in learned])),
                "direct": ((), mean_field_path(*problem, planner=True).cost),
            },
            {"who": list(WHO), "time": found[0].ts, "round": np.arange(1, self.rounds + 1)},
        )

    def check(self) -> None:
        fine = self.steps * self.noise >= self.end
        check_that(fine, "steps of at most 2 noise", self.steps, "pass steps=32")
        check_that(self.rounds >= 20, "rounds >= 20", self.rounds, "pass rounds=100")

    def tiny(self) -> "MeanFieldPaths":
        few = some_of(self.kappas, (0.4,))
        return replace(self, kappas=few, end=4.0, steps=16, rounds=40, degree=8)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = []
        for kappa in self.kappas:
            both, where = dataset.sel(kappa=kappa), f"kappa = {kappa:g}"
            claims.append(
                Claim.holds(f"{where}: both are found", both.converged.min() == 1, "Newton")
            )
            nash, best = (both.sel(who=who) for who in WHO)
            # What the rule in time leaves of both, of order step^2.
            close = float(abs(both.exploitability).sum())
            for title, one in (("that of Nash", nash.cost), ("what is learned", best.learned)):
                title = f"{where}: a planner's cost over {title}"
                over = float(best.cost - one)
                claims.append(Claim.at_most(title, over, 0, "a planner is best", close))
            title, over = (
                f"{where}: a planner's cost over that without a guess",
                best.cost - both.direct,
            )
            claims.append(Claim.at_most(title, float(over), 0, "a planner is best", close))
            for who in WHO:
                claims += _learned(f"{who}, {where}", both.sel(who=who))
        return claims


def _learned(where: str, one: xr.Dataset) -> list[Claim]:
    apart, source = one.apart.values, "Cardaliaguet and Hadikhanloo (2017)"
    half = len(apart) // 2
    power = np.log(apart[half - 1] / apart[-1]) / np.log(len(apart) / half)
    rates = "what could be saved, as a share of the cost"
    share = abs(float(one.exploitability / one.cost))
    return [
        Claim.at_least(f"{where}: power of the round", power, 0, source),
        Claim.at_most(f"{where}: power of the round, at most", power, 1, source, 0.1),
        Claim.at_most(f"{where}: {rates}", share, 0.02, "trapezoidal rule: (rate step)^2/12"),
    ]
