from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.optimize import brentq

from ...attention.kernels import Softmax
from ...dynamics.consensus import ConsensusFlow, PairwisePull
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...solve import simulate
from ..machinery import Claim, Study, program_of_runs
from ._gating import _strength

THRESHOLD = 2 / np.pi
"""Strength above which two models agree: that at which the gap is pi/2."""
SOURCE = "sin(gap)/gap = strength, stable for gaps above pi/2"


@dataclass(frozen=True, kw_only=True)
class ConsensusThreshold(Study):
    """Angle between two models in two wells, against the strength of their pull: agreement above 2/pi.

    Two transformers of different temperatures on S^2 feel the potential -<x, e>^2/2, which has a
    minimum at e and one at -e, and start at one each. Each gathers in a point; at angles
    pi/2 -+ gap/2 from e these obey

        gap' = sin(gap) - strength gap,    middle' = cos(gap) sin(2 middle)/2

    to first order in the middle's distance from pi/2. So they rest at sin(gap)/gap = strength; but for
    a gap below pi/2 the middle is unstable, both fall into one well, and they agree. The threshold is
    the strength 2/pi, at which the gap jumps from pi/2 to 0.

    The dataset has `gap` (strength, time), the angle between the means of the models.

    Source: ours.
    """

    strengths: tuple[float, ...] = (0.15, 0.3, 0.45, 0.55, 0.6, 0.7, 0.8, 0.9, 1.2)
    """Strengths of the pull."""
    betas: tuple[float, float] = (1.0, 3.0)
    """Inverse temperatures of the models."""
    n: int = 8
    """Tokens of a model."""
    t_end: float = 60.0
    """Final time."""
    saves: int = 121
    """Times at which the gap is measured."""

    QUANTITIES: ClassVar = {
        "gap": "angle between the models [rad]",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        sphere = Sphere(3)
        flows = [AttentionFlow(sphere, Softmax(b), potential=_wells) for b in self.betas]
        flow = ConsensusFlow(flows, _strength, pull=PairwisePull(0.3, 1e-8))
        # Clouds of opposite minds, on one meridian but for their noise.
        side = jnp.array([1.2, -0.9])[:, None, None] * jnp.array([0.0, 0.0, 1.0])
        noise = 0.3 * jax.random.normal(jax.random.key(self.seed), (2, self.n, 3))
        x0 = sphere.project(jnp.array([1.0, 0.0, 0.0]) + side + noise)
        ts = jnp.linspace(0.0, self.t_end, self.saves)
        gap = _run(flow, x0, ts, jnp.asarray(self.strengths))
        return xr.Dataset(
            {"gap": (("strength", "time"), gap)},
            {"strength": list(self.strengths), "time": ts},
        )

    def tiny(self) -> "ConsensusThreshold":
        return replace(self, strengths=(0.3, 1.2), n=4, t_end=30.0, saves=5)

    def gap(self, strength: float) -> float:
        """The gap in theory, at a strength."""
        if strength > THRESHOLD:
            return 0.0
        return float(np.asarray(brentq(lambda g: np.sin(g) - strength * g, 1.0, np.pi)))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = []
        for strength in self.strengths:
            last = float(dataset.gap.sel(strength=strength)[-1])
            # What is left of the slowest mode at the end, and the tolerance of the integrator.
            name = f"gap at strength {strength:g}"
            claims.append(Claim.close(name, last, self.gap(strength), 2e-3, SOURCE))
        return claims


def _wells(x):
    return -0.5 * x[2] ** 2


@program_of_runs
def _run(flow: ConsensusFlow, x0, ts, strengths):
    """The angle between the directions of the two means, [strengths, T]."""
    sphere = flow.geometry

    def gap(x):
        means = sphere.project(x.mean(axis=1))
        return sphere.distance(means[0], means[1])

    def one(strength):
        run = simulate(flow, x0, ts, observe={"gap": gap}, tol=1e-6, args=strength, throw=False)
        return run.values["gap"], run.ok

    return jax.vmap(one)(strengths)
