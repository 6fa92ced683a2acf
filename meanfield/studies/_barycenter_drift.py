from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..attention import Softmax
from ..dynamics import AttentionFlow, ConsensusFlow, DebiasedPull, Early, NearSaddles
from ..geometry import Sphere
from ..measures import Uniform
from ..solve import simulate
from ..transport import SquaredGeodesic, disagreement
from ._base import Claim, Study

SOURCE = "consensus by barycenter drift: observed"


@dataclass(frozen=True, kw_only=True)
class BarycenterDrift(Study):
    """Disagreement of transformers pulled to their barycenter, at equal effort: an ungated pull is best.

    Models with the same attention see different tokens, drawn from one law. Left alone each forms its own
    clusters: their disagreement (1/2) sum_ij w_i w_j S(rho_i, rho_j) grows from that of two samples to
    that of a few points. A pull costs the effort int sum_i w_i mean |u_i|^2 dt. For each gate
    (always; early, until a time; near saddles, while |dH/dt| is small) strengths are swept, and what
    disagreement is left is compared at equal effort.

    Measured: a pull that stays on does most for its effort. It fades by itself once models agree,
    where a closed gate lets what is left grow again with the clusters; and a strong pull, which acts
    before there are clusters to move, costs less than a weak one.

    The dataset has `x` (gate, strength, time, model, token, axis), `disagreement` (gate, strength,
    time) and `effort` (gate, strength).

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

    def cells(self) -> list[dict[str, Any]]:
        return [{"gate": gate} for gate in self.gates]

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        flow = AttentionFlow(Sphere(3), Softmax(self.beta))
        gate = {"always": None, "early": Early(self.until), "near saddles": NearSaddles(self.rate)}
        together = ConsensusFlow(
            [flow] * self.models,
            _strength,
            gate[cell["gate"]],
            pull=DebiasedPull(self.epsilon, 1e-7),
        )
        keys = jax.random.split(jax.random.key(self.seed), self.models)
        x0 = jnp.stack([Uniform(3).sample(key, self.n) for key in keys])
        ts = jnp.linspace(0.0, self.t_end, self.saves)
        pace = jnp.asarray(self.strengths)
        x, left, power = _run(together, x0, ts, pace, jnp.asarray(self.epsilon))
        effort = np.trapezoid(power, ts, axis=1)
        return xr.Dataset(
            {
                "x": (("strength", "time", "model", "token", "axis"), x, {"long_name": "tokens"}),
                "disagreement": (("strength", "time"), left, {"long_name": "disagreement"}),
                "effort": ("strength", effort, {"long_name": "effort"}),
            },
            {"strength": list(self.strengths), "time": ts},
        )

    def tiny(self) -> "BarycenterDrift":
        return replace(
            self, gates=("always",), strengths=(0.0, 2.0), models=2, n=6, t_end=4.0, saves=9
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        alone = float(dataset.disagreement.isel(gate=0, strength=0, time=-1))
        start = float(dataset.disagreement.isel(gate=0, strength=0, time=0))
        claims = [Claim.at_least("disagreement of models left alone, over that at the start",
                                 alone / start, 1, SOURCE)]  # fmt: skip
        first = dataset.isel(gate=0, strength=-1)
        share = float(first.disagreement[-1]) / alone
        name = f"{self.gates[0]}: share left by the strongest pull"
        claims.append(Claim.at_most(name, share, 0.1, SOURCE))
        if self.gates[0] == "always":
            least = self.effort_to_halve(dataset, "always")
            for gate in self.gates[1:]:
                ratio = least / self.effort_to_halve(dataset, gate)
                name = f"effort to halve the disagreement, always over {gate}"
                claims.append(Claim.at_most(name, ratio, 1, SOURCE))
        return claims

    def effort_to_halve(self, dataset: xr.Dataset, gate: str) -> float:
        """The effort at which half of the disagreement of models left alone is left, interpolated."""
        at = dataset.sel(gate=gate)
        left = at.disagreement.values[:, -1] / float(at.disagreement[0, -1])
        order = np.argsort(left)
        return float(np.interp(0.5, left[order], at.effort.values[order]))


def _strength(t, args):
    return args


@eqx.filter_jit
def _run(flow: ConsensusFlow, x0, ts, strengths, epsilon):
    """Histories [strengths, T, N, n, 3], their disagreement and the power of the pull."""

    def one(strength):
        run = simulate(flow, x0, ts, observe={"x": lambda x: x}, tol=1e-4, args=strength)
        x = run.values["x"]

        def look(pair):
            t, x = pair
            left = disagreement(x, epsilon=epsilon, cost=SquaredGeodesic(), tol=1e-6)
            return left, flow.power(t, x, strength)

        return x, *jax.lax.map(look, (ts, x))

    return jax.vmap(one)(strengths)
