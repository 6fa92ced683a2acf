from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.linalg import solve_discrete_are

from ...dynamics.consensus import ConsensusFlow
from ...games.exact import LinearQuadratic
from ..machinery import AbstractCellwiseStudy, Claim, check_that, some_of
from ._messages import MEMORY, NEAR, apart, follow, growth, held_cost, known_gain, layers_of
from ._traitors import betrayed, lied_to, noisy, rounded

LAYERS = 240
HELD = "sampled feedback: 1 - P period"
DELAYED = "roots of z^(m+1) = z^m - P layer"
LAW = "the law of motion u = -P (x - bar)"


@dataclass(frozen=True, kw_only=True)
class Protocols(AbstractCellwiseStudy):
    """Models that see only messages of each other: are their equilibria still stable, and what is lost?

    Players of the endless game of `mf.games.LinearQuadratic`, of weight 1, steer by u = -P (x - bar), with
    P = sqrt(1 - 1/N), in layers of length `layer`; tokens on the line, and on the sphere near agreement.

    - Ways held: a message each tau says how far it is to the barycenter, and is followed until the next. A
      deviation is multiplied by 1 - P tau, stable up to P tau = 2. Players who know tau choose another
      gain, and have (s - z/2)/(s + z/2), s^2 = 1 + z^2/12, z = P tau: stable whatever tau. That is
      their best response to each other, and no plan: where tau is short all pay a little more.
    - Places held: each knows where it is, and goes to the last barycenter it heard of. Nothing is lost,
      as the mean does not move.
    - Late: ways that are tau late are unstable beyond P tau = pi/2, late places never.
    - Rounded to a multiple of s: places cost agreement nothing, and move it by s/2 at most; ways leave s/2.
    - Batches: if each draws b tokens of each model, deviations keep a variance of order 1/b.
    - A model that does not move, unseen, leads all others to its place, at the rate P/N, who pay N
      times as much. One that reports a place b away makes all run for ever. Its reports do not move as
      u = -P (x - bar) says, by P b (1 - 1/N). One that acts the lie out, and follows from where it says
      it is, cannot be told from its messages, and moves the agreement by b/N.

    Over (players, ...), `factor` and `growth` by runs and `exact`; `left` the variance that batches leave.

    Source: derived here; Hayes (1950), doi:10.1112/jlms/s1-25.3.226, for delays.
    """

    players: tuple[int, ...] = field(default=(2, 3), metadata={"least": 2})
    """Numbers of models."""
    periods: tuple[int, ...] = (1, 4, 8, 12, 16, 20, 24, 28)
    """Layers between messages."""
    delays: tuple[int, ...] = (1, 4, 8, 12, 16, 20, 24)
    """Layers that a message takes."""
    batches: tuple[int, ...] = (4, 16, 64)
    """Tokens in a batch."""
    widths: tuple[float, ...] = (0.1, 0.2, 0.4)
    """Multiples to which messages are rounded."""
    layer: float = field(default=0.1, metadata={"most": 0.5})
    """Length of a layer, in units of the time in which distances count as much as efforts."""
    spaces: tuple[str, ...] = ("line", "sphere")
    """Where tokens live: line, sphere."""
    lie: float = 1.0
    """How far the cloud that a liar reports is from its own."""
    steps: int = 40_000
    """Layers over which the variance that batches leave is taken."""

    GRID: ClassVar = {"players": "players"}
    QUANTITIES: ClassVar = {
        "factor": "share of a deviation left by a message",
        "factor_exact": "share of a deviation left by a message, exact",
        "cost": "cost over that of players who see all",
        "growth": "factor of a layer of deviations",
        "growth_exact": "factor of a layer of deviations, exact",
        "variance": "variance of deviations that batches leave",
        "variance_exact": "variance of deviations that batches leave, exact",
        "apart": "largest deviation left by rounding",
        "moved": "how far rounding moves the agreement",
        "rate": "share of a layer by which all go to a model at rest",
        "paid": "cost of the others, over that without betrayal",
        "kept": "cost of a model at rest, over that if it played",
        "speed": "speed at which all run from a lie",
        "burden": "cost in unit time of one who is lied to",
        "seen": "how far the reports of a liar break the law of motion",
        "honest": "how far other reports break the law of motion",
        "acted_seen": "how far reports of a lie acted out break the law of motion",
        "acted_moved": "how far a lie acted out moves the agreement",
        "gain": "gain of players who see all",
        "protocol": "what players do with messages",
        "sent": "what a message says",
        "space": "where tokens live",
        "players": "number of models",
        "period": "layers between messages",
        "delay": "layers that a message takes",
        "batch": "tokens in a batch",
        "width": "multiple to which messages are rounded",
    }

    def check(self) -> None:
        check_that(max(self.periods) <= LAYERS // 4, f"periods up to {LAYERS // 4}",
                   self.periods, "pass periods=(1, 8)")  # fmt: skip
        check_that({*self.spaces} <= {"line", "sphere"}, "spaces among line, sphere", self.spaces,
                   "pass spaces=('line',)")  # fmt: skip
        check_that(max(self.delays) < MEMORY, f"delays below {MEMORY}", self.delays,
                   "pass delays=(1, 8)")  # fmt: skip

    def tiny(self) -> "Protocols":
        few = {"players": some_of(self.players, (2,)), "periods": some_of(self.periods, (8, 24))}
        few |= {"delays": some_of(self.delays, (4, 24)), "batches": some_of(self.batches, (4, 16))}
        few |= {"spaces": some_of(self.spaces, ("line",))}
        return replace(self, **few, steps=5_000)

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        n = cell["players"]
        game: Any = LinearQuadratic
        gain = float(game(n, 1.0, 0.0).stationary_gain())
        where = {name: follow(name, n, self.seed) for name in self.spaces}
        held = [[self._held(*one, gain, k) for one in where.values()] for k in self.periods]
        late = [[self._late(*one, gain, m) for one in where.values()] for m in self.delays]
        exact = [self._factors(gain, k) for k in self.periods]
        roots = [self._roots(gain, m) for m in self.delays]
        costs = [self._costs(gain, k) for k in self.periods]
        parts = xr.Dataset(
            {
                "factor": (("period", "space", "protocol"), np.array(held)),
                "factor_exact": (("period", "protocol"), np.array(exact)),
                "cost": (("period", "protocol"), np.array(costs)),
                "growth": (("delay", "space", "sent"), np.array(late)),
                "growth_exact": (("delay", "sent"), np.array(roots)),
                "gain": ((), gain),
            },
            {
                "period": list(self.periods),
                "delay": list(self.delays),
                "space": list(self.spaces),
                "protocol": ["way", "way, known", "place"],
                "sent": ["way", "place"],
            },
        )
        share, rng = gain * self.layer, np.random.default_rng([self.seed, n])
        return parts.merge(noisy(n, share, self.batches, self.steps, rng)).merge(
            rounded(n, share, self.widths, rng).merge(betrayed(n, gain, self.layer))
        ).merge(lied_to(n, gain, self.layer, self.lie))  # fmt: skip

    def _held(self, flow: ConsensusFlow, x0, gain: float, period: int) -> list[float]:
        """What one message leaves, by the second of a run."""
        left = []
        for strength, own in (
            (gain, False),
            (known_gain(gain, period * self.layer), False),
            (gain, True),
        ):
            way = jnp.asarray(strength * self.layer), jnp.asarray(period), jnp.asarray(0)
            path = apart(layers_of(flow, x0, *way, jnp.asarray(own), LAYERS))
            left.append(path[2 * period] / path[period])
        return left

    def _late(self, flow: ConsensusFlow, x0, gain: float, delay: int) -> list[float]:
        way = jnp.asarray(gain * self.layer), jnp.asarray(1), jnp.asarray(delay)
        runs = [layers_of(flow, x0, *way, jnp.asarray(own), LAYERS) for own in (False, True)]
        return [growth(apart(run)) for run in runs]

    def _factors(self, gain: float, period: int) -> list[float]:
        span = period * self.layer
        known = 1 - known_gain(gain, span) * span
        return [1 - gain * span, known, (1 - gain * self.layer) ** period]

    def _costs(self, gain: float, period: int) -> list[float]:
        """Of an endless game with controls held by turns, over that of players who see all always."""
        span, free = period * self.layer, (gain**2 + 1) / (4 * gain)
        turns = [(gain, span), (known_gain(gain, span), span), (gain, self.layer)]
        return [held_cost(*turn) / free for turn in turns]

    def _roots(self, gain: float, delay: int) -> list[float]:
        share = gain * self.layer
        largest = np.abs(np.roots([1, -1, *[0] * (delay - 1), share])).max()
        return [largest, 1 - share]

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        n = cell["players"]
        gain = (1 - 1 / n) ** 0.5
        claims = self._claims_of_turns(one, n, gain) + self._claims_of_delays(one, n, gain)
        claims += self._claims_of_noise(one, n, gain)
        return claims + self._claims_of_traitors(one, n, gain)

    def _claims_of_turns(self, one: xr.Dataset, n: int, gain: float) -> list[Claim]:
        claims = []
        for k in self.periods:
            at, where, span = one.sel(period=k), f"N = {n}, a message in {k} layers", k * self.layer
            exact = {"way": 1 - gain * span, "place": (1 - gain * self.layer) ** k}
            exact["way, known"] = 1 - _best_gain(gain, span) * span
            for space in one.space.values:
                # On the sphere curvature counts: the square of what tokens are apart, in the end.
                near = 1e-9 if space == "line" else 100 * NEAR**2
                for name, factor in exact.items():
                    claims.append(
                        Claim.close(f"{where}, {space}, {name}: left",
                                    at.factor.sel(space=space, protocol=name), factor, near,
                                    "discrete Riccati equation, by SciPy" if "known" in name else HELD)
                    )  # fmt: skip
        return claims

    def _claims_of_delays(self, one: xr.Dataset, n: int, gain: float) -> list[Claim]:
        claims = []
        for m in self.delays:
            exact = self._roots(gain, m)
            # The angle of the layers' own threshold: pi/2 for many thin ones.
            most = 2 * np.sin(np.pi / (2 * (2 * m + 1)))
            stable = float(gain * self.layer < most)
            for space in one.space.values:
                at, where = one.sel(delay=m, space=space), f"N = {n}, {m} layers late, {space}"
                for sent, factor in zip(("way", "place"), exact, strict=True):
                    # What the third mode and rounding leave in a fit of two.
                    title, is_now = f"{where}: growth of a {sent}", at.growth.sel(sent=sent)
                    claims.append(Claim.close(title, is_now, factor, 1e-4, DELAYED))
                ways = float(at.growth.sel(sent="way"))
                found = np.nan if np.isnan(ways) else float(ways < 1)
                source = "P layer < 2 sin(pi/(4 m + 2)), which is P tau < pi/2 for thin layers"
                claims.append(Claim.close(f"{where}: ways are stable", found, stable, 0, source))
        return claims

    def _claims_of_noise(self, one: xr.Dataset, n: int, gain: float) -> list[Claim]:
        claims, share = [], gain * self.layer
        for b in self.batches:
            exact = share / (2 - share) * (1 - 1 / n) / (n * b)
            # As many independent samples as (1 - r^2)/(1 + r^2) of the layers, r = 1 - share.
            memory = (1 - share) ** 2
            error = exact * np.sqrt(2 * (1 + memory) / (1 - memory) / (self.steps * (n - 1)))
            measured, source = one.variance.sel(batch=b), "a linear process with white noise"
            title = f"N = {n}, batches of {b}: variance left"
            claims += Claim.telling(title, measured, exact, 4 * error, source)
        for s in self.widths:
            at, where = one.sel(width=s), f"N = {n}, rounded to {s:g}"
            for sent, far in {"way": s / 2, "place": 0}.items():
                title, source = f"{where}, {sent}: largest deviation", "smaller ones round to 0"
                claims.append(Claim.at_most(title, at.apart.sel(sent=sent), far, source, 1e-12))
            title, source = f"{where}, place: moved", "a place rounds to one s/2 away at most"
            claims.append(Claim.at_most(title, at.moved.sel(sent="place"), s / 2, source, 1e-12))
        return claims

    def _claims_of_traitors(self, one: xr.Dataset, n: int, gain: float) -> list[Claim]:
        share, away, where = gain * self.layer, self.lie, f"N = {n}"
        cost = lambda gain, pace: (gain**2 + 1 - pace + pace**2 / 3) / 2 / (1 - (1 - pace) ** 2)
        slow = share / n
        # One at rest is apart by (1 - 1/N) of its distance from the others, and spends nothing.
        rest = cost(0, slow) / cost(gain, share)
        others, speed = cost(gain, slow) / cost(gain, share), gain * away * (n - 1) / n**2
        burden, broken = speed**2 / 2 + (away / n**2) ** 2 / 2, gain * away * (1 - 1 / n)
        exact = {
            "rate": (slow, "the mean of all is 1/N of the way"),
            "paid": (others, "sum of a geometric series; N for thin layers"),
            "kept": (rest, "sum of a geometric series; N/(2 - 1/N) for thin layers"),
            "speed": (speed, LAW),
            "burden": (burden, LAW),
            "seen": (broken, LAW),
            "honest": (0, LAW),
            "acted_seen": (0, LAW),
            "acted_moved": (away / n, "the mean of what is reported stays"),
        }
        names = self.QUANTITIES
        return [
            Claim.close(f"{where}: {names[name]}", one[name], value, 1e-9, source)
            for name, (value, source) in exact.items()
        ]


def _best_gain(felt: float, span: float) -> float:
    """Of players who hold controls for a time `span`, by SciPy: `felt` is the root of their weight."""
    q, one = felt**2, np.eye(1)
    state, cross, control = q * span, q * span**2 / 2, span + q * span**3 / 3
    value = solve_discrete_are(one, span * one, state * one, control * one, s=cross * one)[0, 0]
    return float((cross + span * value) / (control + span**2 * value))
