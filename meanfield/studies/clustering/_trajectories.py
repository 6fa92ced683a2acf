from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import scipy
import xarray as xr
from jaxtyping import Float

from ..._typing import Points, Scalar
from ...attention.kernels import AbstractExponential
from ...dynamics.particles import AttentionFlow
from ...energies import Interaction
from ...geometry import Sphere
from ...measures import Uniform
from ...observables import clusters
from ..machinery import AbstractCheckpointStudy, Claim, attention_named, some_of

SOURCE = "Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, sections 2 and 3"


@dataclass(frozen=True, kw_only=True)
class Trajectories(AbstractCheckpointStudy):
    """Tokens on the sphere from a uniform start: their paths, energy and clusters.

    Tokens gather in a few clusters within a time of order ten, which then stay for a time of order
    e^beta: the larger beta, the more of them. SA and USA start from one cloud, the latter scaled to
    agree with SA at the uniform law. The interaction energy, here

        E = (1/n^2) sum_ij e^{beta (<x_i, x_j> - 1)},

    climbs all the while, by dE/dt = (2 beta / n) sum_i <v_i, e^-beta USA field_i>; it is about
    sum m_k^2 for clusters of masses m_k, and 1 for a single one.

    The dataset has `x` (attention, time, token, axis), `energy`, its rate `power`, the number
    `clusters`, and `label` (attention, token), the cluster of each token at the end, from the
    largest. Where `faithful`, the layers of the published code are taken, step .1 for SA; their
    energy climbs too, but dE/dt holds for the flow alone.
    """

    attentions: tuple[str, ...] = ("SA", "USA")
    """Kinds of attention: SA (softmax) and USA (unnormalized)."""
    n: int = 64
    """Tokens."""
    d: int = 3
    """Ambient dimension."""
    beta: float = 9.0
    """Inverse temperature."""
    checkpoints: int = 300
    """Times after the start at which the cloud is stored, evenly spaced; an even number."""
    substeps: int = 1
    """Layers between two of them, where faithful: h = .1 at the published size (SA)."""
    tol: float = 1e-9
    """Tolerance of the adaptive integrator."""
    linkage: float = 0.01
    """Angle within which tokens are one cluster."""

    GRID: ClassVar = {"attention": "attentions"}
    QUANTITIES: ClassVar = {
        "label": "cluster of each token at the end",
        "completed": "whether the run ended well",
    }

    def compute(self, cell: dict) -> xr.Dataset:
        attention = attention_named(cell["attention"], self.beta, self.d)
        x0 = Uniform(self.d).sample(jax.random.key(self.seed), self.n)
        values, count, ok = _run(self, attention, x0)
        x = np.asarray(values["x"])
        energy = {"long_name": "interaction energy, 1 for one cluster"}
        return xr.Dataset(
            {
                "x": (("time", "token", "axis"), x),
                "energy": ("time", values["energy"], energy),
                "power": ("time", values["power"], {"long_name": "rate of the energy"}),
                "clusters": ("time", count, {"long_name": "number of clusters"}),
                "label": ("token", _by_size(x[-1], self.linkage)),
                "completed": ((), ok),
            },
            {"time": self.times()},
        ).assign_attrs(integrator=self.integrator(), beta=self.beta)

    def tiny(self) -> "Trajectories":
        attentions = some_of(self.attentions, ("SA",))
        return replace(self, attentions=attentions, n=16, end=10.0, checkpoints=100)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [claim for name in self.attentions for claim in self._claims(name, dataset)]

    def _claims(self, name: str, dataset: xr.Dataset) -> list[Claim]:
        one = dataset.sel(attention=name)
        # Energies are of order one, computed to rounding on states that are accurate to 1e-9.
        least = np.diff(one.energy.values).min()
        claims = [
            Claim.holds(f"{name}: run completed", one.completed, "no failure"),
            Claim.at_least(f"{name}: least change of the energy", least, 0, SOURCE, 1e-10),
            *self._claim_clustered(name, one.isel(time=-1)),
        ]
        return claims if self.faithful else [*claims, self._claim_power(name, one)]

    def _claim_clustered(self, name: str, end: xr.Dataset) -> list[Claim]:
        """That the last energy is sum m_k^2, up to the widths of clusters and their attraction."""
        x, same = end.x.values, np.equal.outer(end.label.values, end.label.values)
        cosines, pairs = x @ x.T, same.mean()  # the share of pairs in one cluster is sum m_k^2
        lost = -np.expm1(self.beta * (cosines[same].min() - 1))  # by such a pair, at the most
        across = np.exp(self.beta * (cosines[~same].max(initial=-1.0) - 1))
        allowed = max(pairs * lost, (1 - pairs) * across) + 1e-10
        # Clusters that are wide, or feel each other, are none yet: then nothing is told.
        return Claim.telling(f"{name}: last energy", end.energy, pairs, allowed, "E, for clusters")

    def _claim_power(self, name: str, one: xr.Dataset) -> Claim:
        gain = float(one.energy[-1] - one.energy[0])
        work, coarse = (
            float(scipy.integrate.simpson(one.power[::every], x=one.time[::every]))
            for every in (1, 2)
        )
        # Simpson's rule at twice the step bounds the error of the quadrature; states accurate to 1e-9,
        # under forces of size beta for a time of some ten, add 1e-7 at the most.
        error, source = abs(work - coarse) + 1e-7, f"{SOURCE}: dE/dt"
        return Claim.close(f"{name}: energy gained", gain, work, error, source)


@partial(jax.jit, static_argnums=0)
def _run(study: Trajectories, attention: AbstractExponential, x0: Points):
    """Histories of the tokens, of energy and its rate; numbers of clusters; whether it ended well."""
    flow = AttentionFlow(Sphere(x0.shape[1]), attention)
    energy = 2 * attention.beta * Interaction(attention.beta, offset=attention.beta)

    def power(x: Points) -> Scalar:
        """The mean of <velocity, gradient>: positive, the two being parallel at each token."""
        speed = flow.drift(jnp.zeros((), x.dtype), x, None)
        return (speed * energy.wasserstein_gradient(x)).sum(axis=1).mean()

    observe = {"x": lambda x: x, "energy": energy, "power": power}
    values, ok = study.follow(attention, x0, observe)
    count = jax.lax.map(lambda x: clusters(x, study.linkage).count, values["x"])
    return values, count, ok


def _by_size(x: Float[np.ndarray, "n d"], linkage: float) -> np.ndarray:
    """The number of each token's cluster, 0 for the largest."""
    found = clusters(jnp.asarray(x), linkage)
    sizes, labels = np.asarray(found.sizes), np.asarray(found.labels)
    rank = np.empty_like(sizes)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[labels]
