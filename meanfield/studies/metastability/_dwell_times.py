from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Points
from ...attention.kernels import Softmax
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...landscape.decisions import DwellTime, dwell_time
from ...solve import simulate
from ..machinery import Claim, Study, check_that

CIRCLE = Sphere(2)
SETTLED = 5.0
"""A time by which each blob is next to a point: its width falls like e^-t."""
LINEAR = "log(radius/distance)/eigenvalue, by the linear flow at the saddle"


@dataclass(frozen=True, kw_only=True)
class DwellTimes(Study):
    """How long n tokens under softmax attention linger at two saddles, by their unstable eigenvalues.

    Four blobs on the circle begin next to a square, a saddle; they pair, next to two antipodal clusters, the
    next saddle, and become one. `offset` is the amplitude of the mode (1, -1, 1, -1) that leaves the first,
    `tilt` how far from antipodal the pairs will be. Dwell times are those within `radius` of the saddle, in
    W2, from the time at which blobs have shrunk, and from that at which each pair is one.
    Theory has no more than the cloud's place then, and `dwell_time`.

    Only symmetric places are saddles: clusters at other distances wait for their exponentially small forces
    alone, whatever their distance to a saddle (`Staircase`, `Metastability`).

    Source: Geshkovski, Koubbi, Polyanskiy, Rigollet, arXiv 2410.06833, for the staircase.
    """

    beta: float = 3.0
    """Inverse temperature."""
    n: tuple[int, ...] = (8, 1000, 100_000)
    """Numbers of tokens, multiples of 4."""
    offset: float = 1e-5
    """Amplitude in the direction that leaves the square."""
    tilt: float = 1e-6
    """Amplitude in the direction that leaves the antipodal pair."""
    radius: float = 0.1
    """Distance from a saddle at which it is left."""
    time: float = 2000.0
    """Time at which to stop."""

    GRID: ClassVar = {"n": "n"}
    QUANTITIES: ClassVar = {
        "saddle": "saddle",
        "dwell": "time within the radius of the saddle",
        "predicted": "time within the radius of the saddle, by its eigenvalues",
        "rate": "largest eigenvalue at the saddle",
        "distance": "W2 distance from the saddle",
        "first": "W2 distance from the saddle at the beginning",
    }

    def check(self) -> None:
        fits = all(n % 4 == 0 for n in self.n)
        check_that(fits, "multiples of 4 for n", self.n, "there are four blobs: pass n=(8,)")

    def tiny(self) -> "DwellTimes":
        return replace(self, n=(8,))

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        ts = jnp.concatenate([jnp.arange(0.0, 50, 0.25), jnp.linspace(50.0, self.time, 400)])
        flow = AttentionFlow(CIRCLE, Softmax(self.beta))
        blobs = simulate(flow, self._start(cell["n"]), ts, observe={"x": _blobs}, tol=1e-9)
        x, times = np.asarray(blobs.values["x"]), np.asarray(ts)
        pairs = _units(x.reshape(len(ts), 2, 2, 2).sum(axis=2))
        axis = _units(pairs[:, :1] - pairs[:, 1:])
        places = {
            "square": (x, _corners(len(ts))),
            "pair": (pairs, np.concatenate([axis, -axis], 1)),
        }
        told: dict[str, list] = {
            "dwell": [],
            "predicted": [],
            "rate": [],
            "first": [],
            "distance": [],
        }
        for name, (cloud, saddle) in places.items():
            away = np.sqrt((_angles(cloud, saddle) ** 2).mean(axis=1))
            begin = SETTLED
            if name == "pair":
                # Not before blobs have met: a pair is a token once they are that near to each other.
                near = (np.linalg.norm(x[:, 0] - x[:, 1], axis=1) < 1e-4) & (away < self.radius / 2)
                begin = times[near.argmax()] if near.any() else np.nan
            told["distance"].append(away)
            for key, value in self._dwell(flow, cloud, saddle, away, times, begin).items():
                told[key].append(value)
        return xr.Dataset(
            {k: (("saddle", "time")[: np.ndim(v)], np.array(v)) for k, v in told.items()},
            {"saddle": [*places], "time": times},
        )

    def _dwell(self, flow, cloud, saddle, away, times, begin) -> dict[str, float]:
        """Measured and predicted, of the cloud at time `begin`; NaN if it never was there."""
        if not np.isfinite(begin):
            return dict.fromkeys(("dwell", "predicted", "rate", "first"), np.nan)
        k = int(np.searchsorted(times, begin))
        after = np.flatnonzero(away[k:] >= self.radius)
        found: DwellTime = dwell_time(
            flow, jnp.asarray(saddle[k]), jnp.asarray(cloud[k]), self.radius
        )
        left = np.nan
        if after.size:
            i = k + after[0]
            # Distances grow exponentially: linear in their logarithm between saves.
            logs = np.log(away[i - 1 : i + 1] / self.radius)
            left = times[i - 1] + (times[i] - times[i - 1]) * -logs[0] / (logs[1] - logs[0])
        return {"dwell": left - times[k], "predicted": float(found.time),
                "rate": float(found.rate), "first": float(away[k])}  # fmt: skip

    def _start(self, n: int) -> Points:
        """Four short arcs of n/4 tokens around the corners of a square that is slightly off."""
        modes = self.offset * np.array([1, -1, 1, -1]) + self.tilt * np.array([1, 1, -1, -1])
        blob = np.linspace(-1e-3, 1e-3, n // 4)
        angles = (np.pi / 2 * np.arange(4) + modes)[:, None] + blob
        return jnp.stack([jnp.cos(angles.ravel()), jnp.sin(angles.ravel())], axis=1)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        ratio = dataset.dwell / dataset.predicted
        # The flow bends by the square of the radius times beta, at the end of a few e-folds.
        return [
            Claim.close(f"dwell time at the {saddle}, over theory, n={n}",
                        ratio.sel(n=n, saddle=saddle), 1, 0.05, LINEAR)
            for n in self.n
            for saddle in dataset.saddle.values
        ]  # fmt: skip


def _blobs(x: Points) -> Float[Array, "4 2"]:
    """The mean of each blob, put back on the circle."""
    return CIRCLE.project(x.reshape(4, -1, 2).mean(axis=1))


def _units(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _corners(times: int) -> np.ndarray:
    angles = np.pi / 2 * np.arange(4)
    return np.tile(np.stack([np.cos(angles), np.sin(angles)], axis=1), (times, 1, 1))


def _angles(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The angles from y to x, [times, tokens]."""
    return np.arctan2(y[..., 0] * x[..., 1] - y[..., 1] * x[..., 0], (x * y).sum(axis=-1))
