from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.kernels import Softmax
from ...dynamics.particles import (
    NGPT,
    AbstractNormalization,
    AttentionFlow,
    MixNorm,
    PeriNorm,
    PostNorm,
    PreNorm,
    SqrtNorm,
)
from ...dynamics.reductions import Equiangular
from ...geometry import Sphere
from ...solve import simulate
from ..machinery import AbstractCellwiseStudy, Claim, some_of
from ._random_transformer import gap

PAPER = "arXiv 2510.22026"
EARLY = 1e-3
"""Where slopes are measured: the next order changes them by some 1e-3 of their size."""
SMALL, SMALLER = 1e-4, 1e-7
"""Values of 1 - rho between which exponential tails are measured: terms quadratic in 1 - rho are
below 1e-4 of the linear ones there, and angles of sqrt(2e-7) are far above the tolerance."""
LATE = 1e3, 1e4
"""Times between which t^-2 is measured: radii are t + c with c about -5, and so the exponent is
2 t/(t + c) at one time, 2 + .0004 c on the average."""


@dataclass(frozen=True, kw_only=True)
class Normalization(AbstractCellwiseStudy):
    """How the place of layer normalization sets the speed at which tokens cluster.

    theta_j' = P A_j / s_j from n orthonormal tokens of radius 1 under softmax attention, for the six
    normalizations: Post-LN, Pre-LN, Peri-LN, nGPT, LN-Scaling (Sqrt) and Mix-LN (Post-LN until `tau`,
    then Pre-LN). rho is the cosine similarity of two tokens. Early, rho' is

        Post, Pre, Sqrt, Mix: 2/(e^beta + n - 1)     Peri: 2/sqrt(e^{2 beta} + n - 1)
        nGPT: 2 alpha/sqrt(e^{2 beta} + n - 1)

    and late, 1 - rho falls like exp(-2 int dt/s): e^{-2t} (Post), t^-2 (Pre, Peri, Mix),
    e^{-2 alpha t} (nGPT), e^{-4 sqrt(t)} (Sqrt). The tokens are integrated, not a reduction.

    Source: Karagodin, Ge, Polyanskiy, Rigollet, arXiv 2510.22026; the rate of nGPT printed there is inverted.
    """

    normalizations: tuple[str, ...] = ("Post", "Pre", "Peri", "nGPT", "Sqrt", "Mix")
    """Which of the six."""
    beta: float = 1.0
    """Inverse temperature."""
    n: int = field(default=32, metadata={"least": 2})
    """Number of tokens, and their dimension."""
    alpha: float = 0.5
    """Learning rate of nGPT."""
    tau: float = 2.0
    """Time at which Mix turns from Post to Pre."""

    GRID: ClassVar = {"normalization": "normalizations"}

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        name = cell["normalization"]
        normalization = self._make(name)
        flow = AttentionFlow(Sphere(self.n), Softmax(self.beta), normalization)
        x = jnp.eye(self.n)
        start = (x, jnp.ones(self.n)) if normalization.radial else x
        ts = np.concatenate([[0, EARLY], np.geomspace(0.03, self._end(name), 150)])
        run = simulate(flow, start, jnp.asarray(ts), observe={"gap": _gap}, tol=1e-9)
        small = np.asarray(run.values["gap"])
        u, rate = self.clock(name, ts)
        tail = small[-1] * np.exp(-rate * (u - u[-1]))
        return xr.Dataset({
            "time": ("save", ts),
            "gap": ("save", small, {"long_name": "1 - cosine similarity"}),
            "slope": ((), self.slope(name), {"long_name": "cosine similarity over time, in theory"}),
            "theory": ("save", tail, {"long_name": "1 - cosine similarity, late, in theory"}),
        })  # fmt: skip

    def _make(self, name: str) -> AbstractNormalization:
        return {
            "Post": PostNorm(), "Pre": PreNorm(), "Peri": PeriNorm(),
            "nGPT": NGPT(self.alpha), "Sqrt": SqrtNorm(), "Mix": MixNorm(self.tau),
        }[name]  # fmt: skip

    def _end(self, name: str) -> float:
        """A time at which 1 - rho is below `SMALLER`, or the end of `LATE`."""
        post = float(Equiangular(Softmax(self.beta), self.n).hitting_time(SMALLER / 10))
        exponential = {"Post": post, "nGPT": post / self.alpha, "Sqrt": (1 + post / 2) ** 2 - 1}
        return exponential.get(name, LATE[1])

    def slope(self, name: str) -> float:
        """rho' at the start, in closed form."""
        mean = np.exp(self.beta) + self.n - 1
        length = np.sqrt(np.exp(2 * self.beta) + self.n - 1)
        return 2 * {"Peri": 1 / length, "nGPT": self.alpha / length}.get(name, 1 / mean)

    def clock(self, name: str, t: np.ndarray) -> tuple[np.ndarray, float]:
        """u(t) and c such that 1 - rho falls like e^{-c u}: u is t, log t or sqrt(t + 1)."""
        if name in ("Pre", "Peri", "Mix"):
            return np.log(np.maximum(t, EARLY)), 2.0
        if name == "Sqrt":
            return np.sqrt(t + 1), 4.0
        return t, 2.0 * (self.alpha if name == "nGPT" else 1)

    def tiny(self) -> "Normalization":
        return replace(self, normalizations=some_of(self.normalizations, ("Post", "Pre")), n=8)

    def claims_at(self, cell: dict[str, Any], at: xr.Dataset) -> list[Claim]:
        claims = []
        name = cell["normalization"]
        t, small = at.time.values, at.gap.values
        early, slope = (1 - small[1]) / EARLY, self.slope(name)
        claims.append(Claim.close(f"{name}: slope", early, slope, 0.01 * slope, PAPER))
        u, rate = self.clock(name, t)
        measured = _rate(u, small, _window(name, t, small))
        claims.append(Claim.close(f"{name}: tail", measured, rate, 0.01 * rate, PAPER))
        return claims


def _window(name: str, t: np.ndarray, small: np.ndarray) -> np.ndarray:
    """The saves from which a tail is measured."""
    if name in ("Pre", "Peri", "Mix"):
        return np.flatnonzero((t >= LATE[0]) & (t <= LATE[1]))
    return np.flatnonzero((small <= SMALL) & (small >= SMALLER))


def _rate(u: np.ndarray, small: np.ndarray, window: np.ndarray) -> float:
    """The rate at which log(1 - rho) falls with u, between the ends of the window."""
    if window.size < 2:
        return np.nan
    first, last = window[0], window[-1]
    return float(-np.log(small[last] / small[first]) / (u[last] - u[first]))


def _gap(state):
    return gap(state[0] if isinstance(state, tuple) else state)
