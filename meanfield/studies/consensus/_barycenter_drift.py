from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Softmax
from ...dynamics.consensus import ConsensusFlow, Early, NearSaddles, PairwisePull
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...measures import Uniform
from ...solve import simulate
from ...transport.barycenters import disagreement
from ...transport.costs import SquaredGeodesic
from ..machinery import Claim, Study, program_of_runs
from ._gating import _strength

SOURCE = "u_i is -1/(2 w_i) times the Wasserstein gradient of the disagreement"


@dataclass(frozen=True, kw_only=True)
class BarycenterDrift(Study):
    """Disagreement of transformers pulled together, by when they are pulled and at what effort.

    Models with the same attention see different tokens, drawn from one law. Left alone each forms its own
    clusters: their disagreement (1/2) sum_ij w_i w_j S(rho_i, rho_j) grows from that of two samples to
    that of a few points. A pull costs the effort int sum_i w_i mean |strength u_i|^2 dt. For each gate
    (always; early, until a time; near saddles, while |dH/dt| is small) strengths are swept; `left_at`
    compares what they leave at equal effort, `effort_to_halve` what they spend for an equal outcome.

    The pull is the mean displacement to all models, which descends this disagreement. It fades by itself
    once models agree, where a closed gate lets what is left grow again with the clusters.

    The dataset has `x` (gate, strength, time, model, token, axis), `disagreement` and `power` (gate,
    strength, time) and `effort` (gate, strength). A pull without a gate first lowers the disagreement
    at the rate 2 power/strength.

    Source: ours.
    """

    gates: tuple[str, ...] = ("always", "early", "near saddles")
    """Gates: always, early, near saddles."""
    strengths: tuple[float, ...] = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0)
    """Strengths of the pull, from 0."""
    models: int = 3
    """Models."""
    n: int = 32
    """Tokens of a model."""
    beta: float = 4.0
    """Inverse temperature."""
    until: float = 2.0
    """Time at which the early gate closes."""
    rate: float = 0.05
    """Rate of the entropy at which the gate near saddles is half open."""
    t_end: float = 10.0
    """Final time."""
    saves: int = 81
    """Times at which the clouds are stored."""
    epsilon: float = 0.3
    """Regularization of the pull, in squared radians."""

    GRID: ClassVar = {"gate": "gates"}
    QUANTITIES: ClassVar = {
        "effort": "effort of the pull",
        "disagreement": "disagreement of the models",
        "gate": "when models are pulled",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        flow = AttentionFlow(Sphere(3), Softmax(self.beta))
        gate = {"always": None, "early": Early(self.until), "near saddles": NearSaddles(self.rate)}
        together = ConsensusFlow(
            [flow] * self.models,
            _strength,
            gate[cell["gate"]],
            pull=PairwisePull(self.epsilon, 1e-7),
        )
        keys = jax.random.split(jax.random.key(self.seed), self.models)
        x0 = jnp.stack([Uniform(3).sample(key, self.n) for key in keys])
        ts = jnp.linspace(0.0, self.t_end, self.saves)
        pace = jnp.asarray(self.strengths)
        x, left, power = _run(together, x0, ts, pace, jnp.asarray(self.epsilon))
        effort = np.trapezoid(power, ts, axis=1)
        return xr.Dataset(
            {
                "x": (("strength", "time", "model", "token", "axis"), x),
                "disagreement": (("strength", "time"), left),
                "power": (("strength", "time"), power, {"long_name": "power of the pull"}),
                "effort": ("strength", effort),
            },
            {"strength": list(self.strengths), "time": ts},
        )

    def tiny(self) -> "BarycenterDrift":
        return replace(
            self, gates=("always",), strengths=(0.0, 0.25), models=2, n=6, t_end=0.5, saves=5
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        at_rest = [Claim.at_most("effort of no pull", dataset.effort[:, 0].max(), 0, SOURCE)]
        if "always" not in self.gates:
            return at_rest
        one, strength = dataset.sel(gate="always").isel(strength=[0, 1]), self.strengths[1]
        lowered = -one.disagreement.diff("strength").values[0]
        step = float(one.time[1] - one.time[0])
        slope = (4 * lowered[1] - lowered[2]) / (2 * step)
        ratio = slope * strength / (2 * float(one.power[1, 0]))
        # The difference errs by a third of the square of step times rate: squares of small gaps grow
        # at twice the rate of tokens about the uniform law, beta/3 at most, and fall by the pull.
        bend = (step * 2 * (self.beta / 3 + strength)) ** 2 / 3
        name = f"first fall of disagreement at strength {strength:g}, over 2 power/strength"
        return [*at_rest, Claim.close(name, ratio, 1, bend, SOURCE)]

    def left_at(self, dataset: xr.Dataset, gate: str, effort: float | None = None) -> float:
        """The least share of the disagreement of models left alone that is left at this effort.

        By default at the largest effort that every gate spends. Interpolated between strengths.
        """
        common = dataset.effort.max("strength").min() if effort is None else effort
        spent, left = _between(dataset.sel(gate=gate))
        return float(left[spent <= float(common)].min())

    def effort_to_halve(self, dataset: xr.Dataset, gate: str) -> float:
        """The least effort that leaves half of that disagreement, interpolated; inf if none does."""
        spent, left = _between(dataset.sel(gate=gate))
        return float(spent[left <= 0.5].min(initial=np.inf))


def _between(one: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Effort and share of the disagreement left along the strengths, linear between them."""
    left = one.disagreement.values[:, -1]
    last = len(left) - 1
    at = np.linspace(0, last, 1000 * last + 1)
    columns = one.effort.values, left / left[0]
    spent, share = (np.interp(at, np.arange(last + 1), column) for column in columns)
    return spent, share


@program_of_runs
def _run(flow: ConsensusFlow, x0, ts, strengths, epsilon):
    """Histories [strengths, T, N, n, 3], their disagreement and the power of the pull."""

    def one(strength):
        run = simulate(
            flow, x0, ts, observe={"x": lambda x: x}, tol=1e-4, args=strength, throw=False
        )
        x = run.values["x"]

        def look(pair):
            t, x = pair
            left = disagreement(x, epsilon=epsilon, cost=SquaredGeodesic(), tol=1e-6)
            return left, flow.power(t, x, strength)

        return (x, *jax.lax.map(look, (ts, x))), run.ok

    return jax.vmap(one)(strengths)
