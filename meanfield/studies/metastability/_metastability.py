from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Points, Scalar
from ...attention.kernels import Softmax
from ...dynamics.particles import ArcLength, AttentionFlow
from ...dynamics.reductions import TwoCluster
from ...geometry import Sphere
from ...solve import Trajectory, simulate
from ..machinery import AbstractCellwiseStudy, Claim, check_that, some_of

PAPER = "Geshkovski, Koubbi, Polyanskiy, Rigollet 2024, arXiv 2410.06833"
SETTLED = 20.0
"""A time by which each blob has become one token: its width falls like e^-t, to 1e-6 in about 14."""
TOLERANCE = 1e-8
"""Of a step along the path, relative to the clock."""
PRODUCTS = np.append(np.linspace(0, 0.95, 20), 0.99)
"""Where the inner product of the two clusters is looked at."""


@dataclass(frozen=True, kw_only=True)
class Metastability(AbstractCellwiseStudy):
    """Two clusters under softmax attention stay apart for a time e^beta/(2 beta).

    Two blobs of tokens on the circle, at an angle of 1.8, merge to two heavy tokens; then the path is
    followed by arc length, on which <x, y> is known beforehand and the clock is the result. The time
    from <x, y> = 0 on is held against the quadrature of `TwoCluster`. It grows as e^beta/(2 beta),
    and costs some hundred right-hand sides.

    Source: Geshkovski, Koubbi, Polyanskiy, Rigollet, arXiv 2410.06833.
    """

    beta: tuple[float, ...] = (5.0, 10.0, 20.0)
    """Inverse temperatures: 5 or more, so that blobs merge while they are far apart."""
    n: int = 64
    """Number of tokens, even."""

    GRID: ClassVar = {"beta": "beta"}
    QUANTITIES: ClassVar = {
        "r": "<x, y>, asked for",
        "reached": "<x, y>, reached",
        "time": "time since <x, y> = 0",
        "exact": "time since <x, y> = 0, by quadrature",
        "scale": "e^beta / (2 beta)",
    }

    def check(self) -> None:
        check_that(self.n % 2 == 0, "an even n", self.n, "there are two blobs: pass n=64")
        # Further apart than e^-beta can hold them: blobs would not merge before they meet.
        check_that(min(self.beta) >= 5, "beta >= 5", min(self.beta), "blobs merge while far apart")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        flow = AttentionFlow(Sphere(2), Softmax(cell["beta"]))
        settled = simulate(flow, _blobs(self.n), jnp.array([0.0, SETTLED]), merge=1e-6)
        run = _follow(flow, settled.final[jnp.array([0, -1])])
        merges = settled.merges
        assert merges is not None
        rhs = int(settled.stats["rhs"]) + int(run.stats["rhs"])
        r, time = run.values["r"][1:], run.values["clock"][1:]
        exact = jax.vmap(TwoCluster(Softmax(cell["beta"]), jnp.full(2, 0.5)).passage_time)
        return xr.Dataset(
            {
                "reached": ("r", r),
                "time": ("r", time - time[0]),
                "exact": ("r", exact(jnp.full_like(r, r[0]), r)),
                "merges": ((), merges.mass.size, {"long_name": "merges before the passage"}),
                "heavy": ((), merges.mass.max(), {"long_name": "mass of the heavier cluster"}),
                "scale": ((), np.exp(cell["beta"]) / (2 * cell["beta"])),
                "rhs": ((), rhs, {"long_name": "right-hand sides"}),
            },
            {"r": PRODUCTS},
        )

    def tiny(self) -> "Metastability":
        return replace(self, beta=some_of(self.beta, (5.0,)), n=8)

    def claims_at(self, cell: dict[str, Any], at: xr.Dataset) -> list[Claim]:
        # n - 2 merges leave two clusters; a mass is a sum of n/2 rounded ones.
        beta, source = float(at.beta), "symmetry of the blobs"
        return [
            Claim.close(f"merges to two, beta={beta:g}", at.merges, self.n - 2, 0, source),
            Claim.close(f"mass of the heavier one, beta={beta:g}", at.heavy, 0.5, 1e-12, source),
            *_passage(at),
        ]


def _passage(at: xr.Dataset) -> list[Claim]:
    beta, time = float(at.beta), float(at.time[-1])
    known = float(at.exact[-1])
    # Some hundred steps err by TOLERANCE of the clock each, in all by 1e-6. Forces of e^-beta between
    # the clusters are rounded to eps, 1e-7 of them at beta = 20. Four digits are asked for.
    claims = [
        Claim.close(f"time from 0 to .99, beta={beta:g}", time, known, 1e-4 * known, "quadrature"),
        Claim.at_most(f"right-hand sides, beta={beta:g}", at.rhs, 5000, "waiting costs few steps"),
    ]
    if beta >= 10:
        # int_0 e^{-beta r}/(1-r^2) dr = (1 + 2/beta^2 + 24/beta^4 + ...)/beta: twice the next term,
        # and atanh(.99)/2 for the part of the passage that does not wait
        scale = float(at.scale)
        error = 48 / beta**4 + np.arctanh(0.99) / scale
        name = f"time over e^beta/(2 beta), beta={beta:g}"
        claims.append(Claim.close(name, time / scale, 1 + 2 / beta**2, error, f"{PAPER}: lifetime"))
    return claims


def _blobs(n: int) -> Points:
    """Two arcs of tokens, .2 long."""
    arc = jnp.linspace(-0.1, 0.1, n // 2)
    angles = jnp.concatenate([arc, 1.8 + arc])
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


def _follow(flow: AttentionFlow, x: Points) -> Trajectory:
    """Two heavy tokens by arc length up to <x, y> = .99: each turns at speed 1, to the other."""
    turned = (jnp.arccos(x[0] @ x[-1]) - jnp.arccos(jnp.asarray(PRODUCTS))) / 2
    lengths = jnp.concatenate([jnp.zeros(1), turned])
    observe = {"r": _product, "clock": _clock}
    return simulate(ArcLength(flow), x, lengths, observe=observe, tol=TOLERANCE)


def _product(state: tuple[Points, Scalar]) -> Float[Array, ""]:
    return state[0][0] @ state[0][-1]


def _clock(state: tuple[Points, Scalar]) -> Scalar:
    return state[1]
