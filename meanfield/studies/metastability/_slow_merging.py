from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Softmax
from ...dynamics.particles import AttentionFlow, PostNorm
from ...dynamics.reductions import TwoCluster
from ...geometry import Sphere
from ...observables import state
from ...schemes import TransformerLayers
from ...solve import rollout, simulate
from ..machinery import Claim, Study, check_share, check_that

PAPER = "Geshkovski, Koubbi, Polyanskiy, Rigollet 2024, arXiv 2410.06833"
START = np.array(
    [
        [0.99806638, 0.06215705],
        [0.97712061, 0.21268594],
        [-0.24578194, 0.96932515],
        [-0.97354734, 0.2284854],
        [-0.99892629, -0.04632772],
    ]
)
"""The five tokens, by the digits of the authors' code."""
ALONE = slice(40.0, 240.0)
"""Times between which two clusters are left, far apart, at beta = 4."""


@dataclass(frozen=True, kw_only=True)
class SlowMerging(Study):
    """Five tokens on the circle: two clusters by time 20, one by time 350 (softmax, beta = 4).

    Accurate: adaptive steps with merging at 1e-6; `kept`, `absorbed` and `mass` say who joins whom.
    Faithful: the published Euler-and-renormalize x <- N(x + dt attention(x)). As attention(x) has a
    component a = <x, attention(x)> along x, which renormalization divides by, that moves by
    dt/(1 + dt a) a step: two far clusters, for which a is near 1, wait 1 + dt times too long.

    Source: Geshkovski, Koubbi, Polyanskiy, Rigollet, arXiv 2410.06833, and its authors' code.
    """

    beta: float = 4.0
    """Inverse temperature."""
    time: int = 400
    """Time at which to stop."""
    dt: float = 0.1
    """Step of Euler-and-renormalize; it divides 1."""

    QUANTITIES: ClassVar = {
        "faithful_x": "tokens, published steps",
        "kept": "token that another joined",
        "absorbed": "token that joined it",
        "mass": "mass of the joined token",
    }

    def check(self) -> None:
        check_that(self.time >= ALONE.stop, f"time >= {ALONE.stop:g}", self.time, "pass time=400")
        check_share(0.5, self.dt, "a step dt that divides 0.5", "pass dt=0.1")

    def cells(self) -> list[dict[str, Any]]:
        return [{"dt": self.dt}]

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        x0 = jnp.asarray(START / np.linalg.norm(START, axis=1, keepdims=True))
        layers = TransformerLayers(2, Softmax(self.beta), PostNorm(), self.dt)
        steps = rollout(layers, x0, round(self.time / self.dt), observe={"x": state})
        flow = AttentionFlow(Sphere(2), Softmax(self.beta))
        # Merges are noted at the ends of steps: many early saves keep those short.
        ts = jnp.concatenate([jnp.arange(0.0, 20, 0.5), jnp.arange(20.0, self.time + 1, 2)])
        run = simulate(flow, x0, ts, observe={"x": state}, merge=1e-6, tol=1e-8)
        merges, axes = run.merges, ("time", "token", "axis")
        assert merges is not None
        every = np.round(np.asarray(ts) / self.dt).astype(int)
        return xr.Dataset(
            {
                "x": (axes, run.values["x"], {"long_name": "tokens, adaptive steps"}),
                "faithful_x": (axes, np.asarray(steps.values["x"])[every]),
                "merged": ("event", merges.time, {"long_name": "time of the merge"}),
                "kept": ("event", merges.kept),
                "absorbed": ("event", merges.absorbed),
                "mass": ("event", merges.mass),
            },
            {"time": ts},
        )

    def tiny(self) -> "SlowMerging":
        return replace(self)

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        return parts[0]

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        masses = dataset.mass.values
        known = [0.4, 0.4, 0.6, 1.0]
        wrong = float(np.abs(np.sort(masses) - known).max()) if masses.size == 4 else np.nan
        two = TwoCluster(Softmax(self.beta), jnp.array([0.4, 0.6]))
        ratios = {}
        for name in ("x", "faithful_x"):
            x = dataset[name].sel(time=ALONE)
            r = (x.isel(token=0) * x.isel(token=4)).sum("axis").values
            ratios[name] = float(two.passage_time(r[0], r[-1])) / float(x.time[-1] - x.time[0])
        merged = np.sort(dataset.merged.values) if masses.size == 4 else np.full(4, np.nan)
        return [
            Claim.at_most("time by which two clusters are left", merged[2], 20, PAPER),
            Claim.at_most("time by which one is", merged[3], 350, PAPER),
            Claim.close("masses of merged clusters", wrong, 0, 1e-12, f"{PAPER}: 2 + 2 + 1, 2 + 3"),
            # tol = 1e-8 a step, against a force of e^{-1.8 beta} = 7e-4
            Claim.close("pace of two clusters", ratios["x"], 1, 1e-4, "TwoCluster.passage_time"),
            # a lies between 1 - 2e-3 and 1 while <x, y> < -.7, and the next order is of size dt e^-7
            Claim.close(
                "pace of two clusters under Euler-and-renormalize", ratios["faithful_x"],
                1 / (1 + self.dt), 0.01 * self.dt, "dt/(1 + dt a) a step, a = 1",
            ),
        ]  # fmt: skip
