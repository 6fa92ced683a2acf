from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float
from scipy.integrate import simpson

from .._typing import Points, Scalar
from ..attention import AbstractExponential
from ..dynamics import AttentionFlow
from ..energies import Interaction
from ..geometry import Sphere
from ..measures import Uniform
from ..observables import clusters
from ..solve import simulate
from ._attentions import attention_named
from ._base import Claim, Study

SOURCE = "Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, sections 2 and 3"


@dataclass(frozen=True, kw_only=True)
class Trajectories(Study):
    """Tokens on the sphere from a uniform start: their paths, energy and clusters.

    Tokens gather in a few clusters within a time of order ten, which then stay for a time of order
    e^beta: the larger beta, the more of them. SA and USA start from one cloud, the latter scaled to
    agree with SA at the uniform law. The interaction energy, here

        E = (1/n^2) sum_ij e^{beta (<x_i, x_j> - 1)},

    climbs all the while, by dE/dt = (2 beta / n) sum_i <v_i, e^-beta USA field_i>; it is about
    sum m_k^2 for clusters of masses m_k, and 1 for a single one.

    The dataset has `x` (attention, time, token, axis), `energy`, its rate `power`, the number
    `clusters`, and `label` (attention, token), the cluster of each token at the end, from the
    largest.
    """

    attentions: tuple[str, ...] = ("SA", "USA")
    """Kinds of attention: SA (softmax) and USA (unnormalized)."""
    n: int = 64
    """Tokens."""
    d: int = 3
    """Ambient dimension."""
    beta: float = 9.0
    """Inverse temperature."""
    t_end: float = 30.0
    """Final time."""
    saves: int = 601
    """Times at which the cloud is stored, evenly spaced; an odd number."""
    tolerance: float = 0.01
    """Angle within which tokens are one cluster."""

    def cells(self) -> list[dict]:
        return [{"attention": name} for name in self.attentions]

    def compute(self, cell: dict) -> xr.Dataset:
        attention = attention_named(cell["attention"], self.beta, self.d)
        x0 = Uniform(self.d).sample(jax.random.key(self.seed), self.n)
        ts = jnp.linspace(0.0, self.t_end, self.saves)
        x, energy, power, count = _run(attention, x0, ts, jnp.asarray(self.tolerance))
        return xr.Dataset(
            {
                "x": (("time", "token", "axis"), x, {"long_name": "tokens"}),
                "energy": ("time", energy, {"long_name": "interaction energy, 1 for one cluster"}),
                "power": ("time", power, {"long_name": "rate of the energy"}),
                "clusters": ("time", count, {"long_name": "number of clusters"}),
                "label": ("token", _by_size(x[-1], self.tolerance)),
            },
            {"time": ts},
        )

    def tiny(self) -> "Trajectories":
        return replace(self, attentions=("SA",), n=16, beta=4.0, t_end=8.0, saves=161)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [claim for name in self.attentions for claim in self._claims(name, dataset)]

    def _claims(self, name: str, dataset: xr.Dataset) -> list[Claim]:
        one = dataset.sel(attention=name)
        gain = float(one.energy[-1] - one.energy[0])
        work, coarse = (float(simpson(one.power[::every], x=one.time[::every])) for every in (1, 2))
        # Energies are of order one, computed to rounding on states that are accurate to 1e-9.
        least = float(one.energy.diff("time").min())
        return [
            Claim.at_least(f"{name}: least change of the energy", least, 0, SOURCE, 1e-10),
            # Simpson's rule at twice the step bounds the error of the quadrature.
            Claim.close(
                f"{name}: energy gained", gain, work, abs(work - coarse) + 1e-7, f"{SOURCE}: dE/dt"
            ),
            Claim.at_most(f"{name}: final clusters", one.clusters[-1], self.n // 4, "observed"),
            Claim.at_most(
                f"{name}: largest change of the number of clusters",
                one.clusters.astype(int).diff("time").max(), 0,
                "merged tokens never part: observed",
            ),
        ]  # fmt: skip


@eqx.filter_jit
def _run(attention: AbstractExponential, x0: Points, ts, tolerance: Scalar):
    """The history of the tokens, energy, power and number of clusters, each [times, ...]."""
    flow = AttentionFlow(Sphere(x0.shape[1]), attention)
    energy = 2 * attention.beta * Interaction(attention.beta, offset=attention.beta)

    def power(x: Points) -> Scalar:
        """The mean of <velocity, gradient>: positive, the two being parallel at each token."""
        speed = flow.drift(ts[0], x, None)
        return (speed * energy.wasserstein_gradient(x)).sum(axis=1).mean()

    observe = {
        "x": lambda x: x,
        "energy": energy,
        "power": power,
    }
    values = simulate(flow, x0, ts, observe=observe, tol=1e-9).values
    count = jax.lax.map(lambda x: clusters(x, tolerance).count, values["x"])
    return values["x"], values["energy"], values["power"], count


def _by_size(x: Float[Array, "n d"], tolerance: float) -> np.ndarray:
    """The number of each token's cluster, 0 for the largest."""
    found = clusters(x, tolerance)
    sizes, labels = np.asarray(found.sizes), np.asarray(found.labels)
    rank = np.empty_like(sizes)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[labels]
