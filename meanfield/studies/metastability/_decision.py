from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy
import xarray as xr
from jaxtyping import Array, Bool, Float

from ..._typing import Points, Scalar
from ...attention.kernels import Layers, Unnormalized
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...landscape.decisions import Pushes, decision_times, pushes
from ...observables import smoothed_entropy, state
from ...solve import Trajectory, simulate
from ..machinery import Claim, Study, check_that, program_of_runs

CIRCLE = Sphere(2)
LINEAR = "linear flow about the square, whose modes are known"
QUIET = "dH/dt is quadratic in the amplitudes, all of which are least at the switch"
LEVEL = 0.75
"""Share of the copies of a run that end as it does, from which on it counts as decided."""
MODE = np.array([1.0, -1.0, 1.0, -1.0])
FIRST = 0.3
"""The amplitude of the first run, in units of the effort."""
COPIES = 400
"""Copies of a run, by whose ends it is judged."""
EVERY = 2
"""Times at which copies start, for each time of a push."""


@dataclass(frozen=True, kw_only=True)
class Decision(Study):
    """When a small push decides into which clusters tokens go, and when they have decided themselves.

    Four tokens near a square on the circle repel, e^{repelling (<x, y> - 1)}, until the time `switch`, as
    entropy grows, and attract from then on, e^{beta (<x, y> - 1)}: tokens pair with the neighbour before or
    after. The amplitude A of the mode (1, -1, 1, -1) tells: it decays at the rate repelling e^-repelling,
    then grows at the rate beta e^-beta, and A > 0 or < 0 is the decision.

    - `flipped`: the share of runs that end otherwise if pushed at a time, by `effort`, in the direction that
      `pushes` finds by the adjoint. Theory: those of |A| < effort.
    - `size`: the sensitivity of a run that starts next to the square; it peaks at the switch.
    - `kept`, `decided`: of that run, by `decision_times` with copies within `effort`. It is decided once
      |A| = z_level effort/2, of the copies' spread, well after the best time for a push.
    - `rate`: dH/dt. It is least in size where a push does most, at the switch, long before the run is
      decided; and less still once clusters rest, where a push does nothing: by itself it cannot tell a
      saddle from a result. `flipped_quietest`: the share turned by pushes at each run's least |dH/dt|.

    Source: ours; arXiv 2312.10794 for the flow.
    """

    repelling: float = 1.0
    """Inverse temperature at which tokens repel."""
    beta: float = 2.0
    """Inverse temperature at which they attract."""
    switch: float = 4.0
    """Time of the switch."""
    t_end: float = 36.0
    """Time at which pairs have formed."""
    read: float = 8.0
    """Time at which the adjoint reads the outcome, before pairs have formed."""
    pushes: int = field(default=36, metadata={"least": 7})
    """Times of pushes, from 0 on, evenly until before the end."""
    effort: float = 1e-3
    """Effort of a push: the W2 distance by which it moves the cloud."""
    spread: float = 0.01
    """Standard deviation of the angles at the start."""
    runs: int = field(default=400, metadata={"least": 2})
    """Independent starts."""

    QUANTITIES: ClassVar = {
        "push": "time of a push",
        "flipped": "share of runs with other clusters",
        "flipped_exact": "share of runs with other clusters, by the linear flow",
        "flipped_quietest": "share of runs with other clusters, each pushed at its least |dH/dt|",
        "read": "time of a push that the adjoint is asked for",
        "size": "change of the outcome per unit of effort",
        "growth": "logarithm of that, over its value at the start",
        "growth_exact": "logarithm of that over its value at the start, by the linear flow",
        "look": "time at which copies start",
        "kept": "share of copies that end alike",
        "rate": "rate of the entropy",
        "decided": "time at which the run is decided",
        "decided_exact": "time at which the run is decided, by the linear flow",
        "quietest": "time of the least rate of the entropy",
        "quietest_later": "time of the least rate of the entropy, of a run twice as long",
    }

    def check(self) -> None:
        check_that(0 < self.switch < self.read < self.t_end, "0 < switch < read < t_end",
                   (self.switch, self.read, self.t_end), "pass switch=4.0")  # fmt: skip
        check_that(self.effort > 0, "effort > 0", self.effort, "pass effort=1e-3")
        check_that(self.spread > 0, "spread > 0", self.spread, "pass spread=0.01")

    def cells(self) -> list[dict[str, Any]]:
        return [{"effort": self.effort}]

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        return parts[0]

    def tiny(self) -> "Decision":
        return replace(self, runs=100, pushes=27)

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        flow, key = self._flow(), self.key(cell)
        # The first run is off along the mode alone; the others at random.
        off = self.spread * jax.random.normal(key, (self.runs, 4))
        x0 = jax.vmap(_near_square)(jnp.concatenate([self.effort * FIRST * MODE[None], off]))
        ts = jnp.linspace(0.0, self.t_end, self.pushes + 1)
        read = ts[ts <= self.read]
        found = _sensitivities(flow, x0, read)
        flipped, rate = _flipped(flow, x0, ts, found, jnp.asarray(self.effort))
        flipped, rate = flipped[:, 1:], rate[:, 1:]
        quietest = jnp.argmin(jnp.abs(rate), axis=0)
        size = found.size[0]
        return xr.Dataset(
            {
                "flipped": ("push", flipped.mean(axis=1)),
                "flipped_exact": ("push", self.flips(np.asarray(ts[:-1]))),
                "flipped_quietest": ((), flipped[quietest, jnp.arange(self.runs)].mean()),
                "size": ("read", size),
                "growth": ("read", jnp.log(size / size[0])),
                "growth_exact": ("read", self.growth(np.asarray(read))),
                **self._decided(flow, x0[0], key),
            },
            {"push": ts[:-1], "read": read},
        )

    def _flow(self) -> AttentionFlow:
        parts = [
            Unnormalized(beta, value=sign * np.exp(-beta) * jnp.eye(2))
            for beta, sign in ((self.repelling, -1.0), (self.beta, 1.0))
        ]
        return AttentionFlow(CIRCLE, Layers(parts, jnp.array([0.0, self.switch])))

    def _rates(self) -> tuple[float, float]:
        """The rates at which the amplitude falls, then grows."""
        return self.repelling * np.exp(-self.repelling), self.beta * np.exp(-self.beta)

    def growth(self, t: np.ndarray) -> np.ndarray:
        """The logarithm of what a push at a time t does, over that of one at 0."""
        falls, grows = self._rates()
        return falls * np.minimum(t, self.switch) - grows * np.maximum(t - self.switch, 0)

    def flips(self, t: np.ndarray) -> np.ndarray:
        """P(|A| < effort) at times t; A is normal, of half the spread of the four angles at first."""
        return 2 * scipy.stats.norm.cdf(2 * self.effort * np.exp(self.growth(t)) / self.spread) - 1

    def _decided(self, flow: AttentionFlow, x0, key) -> dict[str, Any]:
        """When the first run is decided, measured and by the linear flow."""
        ts = jnp.linspace(0.0, self.t_end, EVERY * self.pushes + 1)
        run = simulate(flow, x0, ts, observe={"x": state}, tol=1e-8)
        found = decision_times(
            flow, run, key, COPIES, spread=self.effort, level=LEVEL, label=_pairs
        )
        later = simulate(flow, x0, 2 * ts, observe={"x": state}, tol=1e-8)
        falls, grows = self._rates()
        least = FIRST * np.exp(-falls * self.switch)
        needed = scipy.stats.norm.ppf(LEVEL) / 2
        return {
            "kept": ("look", found.kept),
            "rate": ("look", found.rate),
            "decided": ((), found.time),
            "decided_exact": ((), self.switch + np.log(needed / least) / grows),
            "quietest": ((), found.quietest),
            "quietest_later": ((), 2 * ts[jnp.argmin(jnp.abs(_rates(flow, later)))]),
            "look": found.ts,
        }

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        flipped, exact = dataset.flipped.values, dataset.flipped_exact.values
        # Other modes, of that spread, move the boundary by its square: a share of spread of the amplitudes.
        errors = np.sqrt(exact * (1 - exact) / self.runs) + self.spread
        worst = np.abs(flipped - exact).max() if np.isfinite(flipped).all() else np.nan
        best, mean = exact.max(), exact.mean()
        ratio = flipped.max() / flipped.mean()
        # Runs are the same at all times, so that maximum and mean err together: by less than the first.
        error = 3 * np.sqrt((1 - best) / (best * self.runs)) * best / mean
        off = np.abs(dataset.growth - dataset.growth_exact).max()
        step = self.t_end / self.pushes / EVERY
        quiet = dataset.flipped_quietest / flipped.max()
        wait = 1 / self._rates()[1]
        return [
            Claim.close("share of runs that a push turns, largest error", worst, 0,
                        4 * errors.max(), LINEAR),
            *Claim.telling("share at the best time over that at a random time", ratio, best / mean,
                           error, LINEAR),
            Claim.close("best time less that of the switch", dataset.push[flipped.argmax()],
                        self.switch, self.t_end / self.pushes, LINEAR),
            # Tsit5 with steps of t_end/pushes, at rates below .4: 1e-4 or less.
            Claim.close("logarithm of the sensitivity, largest error", off, 0, 1e-3, LINEAR),
            # Of 400 copies the share errs by .02, three of which are a fifth of the amplitude at 3/4.
            Claim.close("time at which a run is decided", dataset.decided, dataset.decided_exact,
                        step + 0.3 * wait, LINEAR),
            Claim.close("share turned where |dH/dt| is least, over the best", quiet, 1, 0.1, QUIET),
            Claim.at_least("time of the least |dH/dt|, of a run twice as long", dataset.quietest_later,
                           self.t_end, "clusters at rest are quieter than saddles"),
        ]  # fmt: skip


def _near_square(offsets: Float[Array, "4"]) -> Points:
    angles = np.pi / 2 * np.arange(4) + offsets
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


def _outcome(x: Points) -> Scalar:
    """Negative if 0 pairs with 1 and 2 with 3, positive if 1 with 2 and 3 with 0."""
    ahead = jnp.sum(x * jnp.roll(x, -1, axis=0), axis=1)
    return ahead[1] + ahead[3] - ahead[0] - ahead[2]


def _pairs(x: Points) -> Bool[Array, ""]:
    return _outcome(x) > 0


def _sensitivities(flow: AttentionFlow, x0: Float[Array, "runs 4 2"], ts) -> Pushes:
    return jax.vmap(lambda x: pushes(flow, x, ts, _outcome, tol=1e-7, max_steps=256))(x0)


@program_of_runs
def _flipped(
    flow: AttentionFlow, x0, ts: Float[Array, " T"], found: Pushes, effort: Scalar
) -> tuple[
    tuple[Float[Array, "pushes runs"], Float[Array, "pushes runs"]], Bool[Array, "pushes runs"]
]:
    """Whether each run ends otherwise, if pushed at each of `ts` but the last toward the other outcome,
    and dH/dt there.

    Beyond the time at which the adjoint reads the outcome, in the direction that it has there.
    """
    run = lambda x, ts: simulate(flow, x, ts, observe={"x": state}, tol=1e-7, throw=False)
    alone = jax.vmap(run, (0, None))(x0, ts)
    ends = jax.vmap(_pairs)(alone.final)
    against = -jnp.sign(found.value)[:, None, None] * effort

    def at(k):
        rates = jax.vmap(partial(_rate, flow, ts[k]))(alone.values["x"][:, k])
        push = against * found.direction[:, jnp.minimum(k, found.ts.shape[1] - 1)]
        x = CIRCLE.exp(alone.values["x"][:, k], push)
        pushed = jax.vmap(run, (0, None))(x, jnp.stack([ts[k], ts[-1]]))
        other = (jax.vmap(_pairs)(pushed.final) != ends).astype(x0.dtype)
        return (other, rates), pushed.ok & alone.ok

    return jax.lax.map(at, jnp.arange(len(ts) - 1))


def _rate(flow: AttentionFlow, t: Scalar, x: Points) -> Scalar:
    return jax.jvp(lambda x: smoothed_entropy(x, 8.0), (x,), (flow.drift(t, x, None),))[1]


@eqx.filter_jit
def _rates(flow: AttentionFlow, run: Trajectory) -> Float[Array, " T"]:
    return jax.vmap(partial(_rate, flow))(run.ts, run.values["x"])
