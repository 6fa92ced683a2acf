from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Points, Scalar
from ...attention.kernels import Layers, Unnormalized
from ...dynamics.consensus import ConsensusFlow
from ...dynamics.particles import AttentionFlow
from ...landscape.decisions import pushes
from ...observables import state
from ...solve import simulate
from ..machinery import AbstractCellwiseStudy, Claim, program_of_runs, some_of
from ._gating import CIRCLE, LINEAR, ByNumber, _pairs, _strength

SWITCH, LATER, END = 4.0, 9.0, 36.0
"""When tokens begin to attract, when sensitivities are taken, before tokens settle, and the end of runs."""


@dataclass(frozen=True, kw_only=True)
class OnePush(AbstractCellwiseStudy):
    """One push, at the best time and in the best direction, against a pull that never ends, at equal effort.

    Two models of four tokens near a square, as in `Gating`, agree if they pair their tokens alike. `pushes`
    says by one adjoint run which sudden push, and when, changes the outcome of a model most; where two
    models disagree, the one that is nearer to the other outcome is pushed just over it: `needed` is
    the W2 length of that push. `agree` is the share of pairs that agree if no push may be longer than the
    mean length of the pull, int (sum_i w_i mean |strength u_i|^2)^{1/2} dt, at each `strength`; `pulled`
    that of the pull itself. The push is decided by somebody who knows the outcome, the pull by the
    present states alone.

    In length one push wins at every strength: it costs nothing where models agree, and comes when their
    amplitudes are least. In energy, int |u|^2 dt, of which a push of length a within a time s costs a^2/s,
    it wins unless it is quicker than `slowest`, by the same linear theory. It does not win in certainty: of
    models that are next to the boundary a few end on another side than first order says, so that fewer
    pairs agree once pushes are made (`reached`) than after a pull that is strong.

    The longest way is that of a push at the beginning: until 4 the square is stable, and `size`, what a
    push of length one changes, grows like e^{t/e} over the time of the push; later it falls like
    e^{-2 t/e^2}, as the square is left.

    Source: ours.
    """

    spreads: tuple[float, ...] = (0.01,)
    """Standard deviations of the angles at the start."""
    strengths: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8)
    """Strengths of the pull."""
    runs: int = field(default=100, metadata={"least": 10})
    """Independent pairs of models."""
    times: int = field(default=19, metadata={"least": 10})
    """Times at which a push is tried, up to 9."""
    margin: float = 0.1
    """What a push exceeds the length that is needed to first order by, over the mean one of all models."""

    GRID: ClassVar = {"spread": "spreads"}
    QUANTITIES: ClassVar = {
        "agree": "share of pairs that agree after one push no longer than the pull",
        "pulled": "share of pairs that agree after a pull that never ends",
        "length": "mean W2 length of the pull",
        "energy": "mean energy of the pull",
        "slowest": "least duration of a push that costs no more energy",
        "needed": "W2 length of the push that a pair needs",
        "alike": "share of pairs that agree by themselves",
        "reached": "share of pairs that agree after the pushes that they need",
        "size": "change of the outcome by a push of length one",
        "push_time": "time of the push",
        "spread": "standard deviation of the angles at the start",
        "strength": "strength of the pull",
        "pair": "pair of models",
    }

    def tiny(self) -> "OnePush":
        return replace(self, strengths=some_of(self.strengths, (0.1, 0.4)), runs=20, times=10)

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        own = _own()
        off = cell["spread"] * jax.random.normal(jax.random.key(self.seed), (self.runs, 2, 4))
        angles = np.pi / 2 * np.arange(4) + off
        x0 = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
        ts = jnp.linspace(0.0, LATER, self.times)
        value, size, best, when, way = (
            np.asarray(a).reshape(self.runs, 2, *a.shape[1:])
            for a in _pushed(own, x0.reshape(-1, 4, 2), ts)
        )
        lengths, rows = np.abs(value) / best, np.arange(self.runs)
        nearer = lengths.argmin(axis=1)
        differ = value.prod(axis=1) < 0
        # Other modes move the boundary, and pushes that just reach it would end on either side.
        needed = np.where(differ, lengths[rows, nearer] + self.margin * lengths.mean(), 0.0)
        push = -(np.sign(value[rows, nearer]) * needed)[:, None, None] * way[rows, nearer]
        ends = _ends(own, x0[rows, nearer], x0[rows, 1 - nearer], when[rows, nearer], push)
        flow = ConsensusFlow([own, own], _strength, None, pull=ByNumber())
        # Lengths and energies are those of both models together, of weights 1/2.
        needed = needed * np.sqrt(0.5)
        pulls = [_pulled(flow, x0, jnp.asarray(strength)) for strength in self.strengths]
        length, energy, pulled = (np.array(part) for part in zip(*pulls, strict=True))
        enough = [np.quantile(needed, share) for share in pulled]
        spent = [np.mean(np.where(needed <= most, needed, 0) ** 2) for most in enough]
        return xr.Dataset(
            {
                "agree": ("strength", [(needed <= most).mean() for most in length]),
                "pulled": ("strength", pulled),
                "length": ("strength", length),
                "energy": ("strength", energy),
                "slowest": ("strength", np.array(spent) / energy),
                "needed": ("pair", needed),
                "alike": ((), (needed == 0).mean()),
                "reached": ((), np.mean(ends)),
                "size": ("push_time", size.mean(axis=(0, 1))),
            },
            {"strength": list(self.strengths), "push_time": np.asarray(ts), "pair": rows},
        )

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        spread = cell["spread"]
        where, step = f"spread {spread:g}", LATER / (self.times - 1)
        size = one["size"].values
        logs, when = np.log(size), one.push_time.values
        before, after = when[:-1] + step < SWITCH + 1e-9, when[:-1] > SWITCH - 1e-9
        slopes = np.diff(logs) / step
        best = when[np.argmax(size)] if np.isfinite(size).all() else np.nan
        # Amplitudes of .01 bend what is linear by as much of it.
        claims = [
            Claim.close(f"{where}: time of the best push", best, SWITCH, step / 2, LINEAR),
            Claim.close(
                f"{where}: growth before", slopes[before].mean(), np.exp(-1), 3 * spread, LINEAR
            ),
            Claim.close(
                f"{where}: decay after", slopes[after].mean(), -2 * np.exp(-2), 3 * spread, LINEAR
            ),
            Claim.at_least(
                f"{where}: share that agrees after the pushes", one.reached, 0.9, LINEAR
            ),
        ]
        for strength in self.strengths:
            at, title = one.sel(strength=strength), f"{where}, strength {strength:g}"
            over = at.agree - at.pulled
            claims.append(Claim.at_least(f"{title}: agreement over the pull's", over, 0, "ours"))
            # Amplitudes change within times of order one: a push of a tenth is one.
            claims.append(Claim.at_most(f"{title}: slowest push", at.slowest, 0.1, "ours"))
        return claims


def _own() -> AttentionFlow:
    parts = [Unnormalized(b, value=sign * np.exp(-b) * jnp.eye(2))
             for b, sign in ((1.0, -1.0), (2.0, 1.0))]  # fmt: skip
    return AttentionFlow(CIRCLE, Layers(parts, jnp.array([0.0, SWITCH])))


def _outcome(x: Points) -> Scalar:
    """Above 0 where tokens 1 and 2 pair, rather than 0 and 1."""
    ahead = jnp.sum(x * jnp.roll(x, -1, axis=0), axis=1)
    return ahead[1] + ahead[3] - ahead[0] - ahead[2]


def _pushed(own: AttentionFlow, x0: Float[Array, "models 4 2"], ts: Float[Array, " times"]):
    """Of each model the outcome, the size of pushes over time, the largest, its time and its direction."""

    def one(x):
        found = pushes(own, x, ts, _outcome, tol=1e-7)
        k = jnp.argmax(found.size)
        return found.value, found.size, found.size[k], ts[k], found.direction[k]

    return jax.vmap(one)(x0)


@program_of_runs
def _ends(own: AttentionFlow, x0, others, when, push):
    """Whether two models agree, of which one is pushed once."""

    def one(x, other, t, u):
        run = lambda x, start, end: simulate(own, x, jnp.stack([start, end]), tol=1e-7, throw=False)
        before, alone = run(x, 0 * t, t), run(other, 0 * t, t + END)
        x = CIRCLE.exp(before.final, CIRCLE.to_tangent(before.final, u))
        after = run(x, t, t + END)
        agree = _pairs(after.final) == _pairs(alone.final)
        return agree, before.ok & after.ok & alone.ok

    return jax.vmap(one)(x0, others, jnp.maximum(when, 0.01), push)


@program_of_runs
def _pulled(flow: ConsensusFlow, x0: Float[Array, "runs 2 4 2"], strength: Scalar):
    """The mean length and energy of a pull, and the share of pairs of models that agree."""
    ts = jnp.linspace(0.0, END, 73)

    def one(x):
        run = simulate(flow, x, ts, observe={"x": state}, tol=1e-7, args=strength, throw=False)
        power = jax.vmap(lambda t, x: flow.power(t, x, strength))(ts, run.values["x"])
        first, second = jax.vmap(_pairs)(run.final)
        root = jnp.sqrt(jnp.maximum(power, 0))
        agree = (first == second).astype(x.dtype)
        return (jnp.trapezoid(root, ts), jnp.trapezoid(power, ts), agree), run.ok

    found, ok = jax.vmap(one)(x0)
    return tuple(part.mean() for part in found), ok
