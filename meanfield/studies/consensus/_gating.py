from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float

from ..._typing import Points, Scalar
from ...attention.kernels import Layers, Unnormalized
from ...dynamics.consensus import AbstractGate, AbstractPull, ConsensusFlow, NearSaddles
from ...dynamics.particles import AttentionFlow
from ...energies import Interaction
from ...geometry import Sphere
from ...landscape.decisions import AtSaddles
from ...observables import state
from ...solve import simulate
from ..machinery import Claim, Study, check_that, program_of_runs

CIRCLE = Sphere(2)
PULSE = (3.0, 5.0)
"""When the single pull acts: about the time at which a push decides most."""
LINEAR = "linear flow about the square: mean and difference of two amplitudes have one law"


class ByNumber(AbstractPull):
    """The mean of the displacements to the tokens of the same number, sum_j w_j log_{x_i} x_j."""

    def __call__(self, geometry, x, weights, masses):
        each = jax.vmap(jax.vmap(geometry.log, (None, 0)), (0, None))(x, x)
        return jnp.einsum("j,ijnd->ind", weights, each)


class Pulse(AbstractGate):
    """Open from one time of `PULSE` to the other."""

    def __call__(self, t, x, velocity, masses=None):
        return jnp.where((t >= PULSE[0]) & (t < PULSE[1]), 1, 0).astype(x.dtype)

    def jumps(self) -> Float[Array, "2"]:
        return jnp.array(PULSE)


@dataclass(frozen=True, kw_only=True)
class Gating(Study):
    """Whether two models that are pulled at a saddle agree more, at equal effort, than if pulled always.

    Both models are four tokens near a square, which repel until time 4 and then attract, as in `Decision`:
    each pairs its tokens one way or the other by the sign of an amplitude A, and they agree if the signs
    do. A pull by a factor r = e^{-int strength dt} of the difference, before that is of the order of
    one, leaves

        P(agree) = P(|A_1 + A_2| > r |A_1 - A_2|) = (2/pi) arctan(1/r).

    Gates: always; near saddles, where |dH/dt| < `rate`; at saddles, within `distance` of one along its
    unstable directions; pulse, from 3 to 5 about the switch, when a sudden push decides most.
    The effort int sum_i w_i mean |strength u_i|^2 dt is of second order: a short pull costs more than a
    slow one of the same factor, so that at equal effort the pulse leaves less agreement than the pull that
    never ends, if that is strong enough to have models agree before they decide. A weak one is what wastes
    effort: on models that have decided otherwise, and that no pull brings together.

    Source: ours.
    """

    gates: tuple[str, ...] = ("always", "near saddles", "at saddles", "pulse")
    """Gates: always, near saddles, at saddles, pulse."""
    strengths: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4, 0.8)
    """Strengths of the pull."""
    rate: float = 1e-4
    """|dH/dt| at which the gate near saddles is half open."""
    distance: float = 0.02
    """Distance at which the gate at saddles is half open."""
    spread: float = 0.01
    """Standard deviation of the angles at the start."""
    runs: int = field(default=400, metadata={"least": 2})
    """Independent pairs of models."""

    GRID: ClassVar = {"gate": "gates"}
    QUANTITIES: ClassVar = {
        "gate": "when models are pulled",
        "agree": "share of pairs of models that agree",
        "effort": "mean effort of the pull",
    }

    def check(self) -> None:
        known = {*Gating.gates}
        check_that({*self.gates} <= known, f"gates among {sorted(known)}", self.gates,
                   "pass gates=('always',)")  # fmt: skip

    def tiny(self) -> "Gating":
        return replace(self, gates=("always", "pulse"), strengths=(0.4, 0.8), runs=200)

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        parts = [Unnormalized(b, value=sign * np.exp(-b) * jnp.eye(2))
                 for b, sign in ((1.0, -1.0), (2.0, 1.0))]  # fmt: skip
        own = AttentionFlow(CIRCLE, Layers(parts, jnp.array([0.0, 4.0])))
        gate = {
            "always": None,
            "near saddles": NearSaddles(self.rate),
            "at saddles": AtSaddles(-Interaction(2.0, offset=2.0), self.distance),
            "pulse": Pulse(),
        }[cell["gate"]]
        flow = ConsensusFlow([own, own], _strength, gate, pull=ByNumber())
        off = self.spread * jax.random.normal(jax.random.key(self.seed), (self.runs, 2, 4))
        angles = np.pi / 2 * np.arange(4) + off
        x0 = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
        found = [_run(flow, x0, jnp.asarray(strength)) for strength in self.strengths]
        effort, agree = (np.array(part) for part in zip(*found, strict=True))
        return xr.Dataset(
            {"effort": ("strength", effort), "agree": ("strength", agree)},
            {"strength": list(self.strengths)},
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = []
        if "pulse" in self.gates:
            for strength in self.strengths:
                share = float(dataset.agree.sel(gate="pulse", strength=strength))
                exact = 2 / np.pi * np.arctan(np.exp(strength * (PULSE[1] - PULSE[0])))
                # Other modes move the boundary by a share of about the spread of the amplitudes.
                error = 3 * np.sqrt(exact * (1 - exact) / self.runs) + self.spread
                name = f"share that agrees after a pulse of strength {strength:g}"
                claims += Claim.telling(name, share, exact, error, LINEAR)
        if {"pulse", "always"} <= {*self.gates} and {0.4, 0.8} <= {*self.strengths}:
            pulse = dataset.sel(gate="pulse", strength=0.8)
            always = dataset.sel(gate="always", strength=0.4)
            names = "a pull without end of strength .4 over a pulse of .8: "
            claims += [
                Claim.at_most(names + "effort", always.effort / pulse.effort, 1, LINEAR),
                Claim.at_least(names + "agreement", always.agree / pulse.agree, 1, LINEAR),
            ]
        return claims


def _strength(t, args):
    return args


def _pairs(x: Points) -> Bool[Array, ""]:
    """Whether tokens 1 and 2 pair, rather than 0 and 1."""
    ahead = jnp.sum(x * jnp.roll(x, -1, axis=0), axis=1)
    return ahead[1] + ahead[3] > ahead[0] + ahead[2]


@program_of_runs
def _run(flow: ConsensusFlow, x0: Float[Array, "runs 2 4 2"], strength: Scalar):
    """The mean effort, and the share of pairs of models that agree."""
    ts = jnp.linspace(0.0, 36.0, 73)

    def one(x):
        run = simulate(flow, x, ts, observe={"x": state}, tol=1e-7, args=strength, throw=False)
        power = jax.vmap(lambda t, x: flow.power(t, x, strength))(ts, run.values["x"])
        first, second = jax.vmap(_pairs)(run.final)
        return jnp.trapezoid(power, ts), (first == second).astype(x.dtype), run.ok

    effort, agree, ok = jax.vmap(one)(x0)
    return (effort.mean(), agree.mean()), ok
