from dataclasses import dataclass, replace
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.special import betaincinv, ndtri

from ...energies import Entropy, InternalEnergy, Line, Potential
from ...schemes import QuantileJKO
from ...solve import rollout
from ..machinery import Claim, Study, check_that, grid

EDGE = float(np.sqrt(12 * ((3 / 4) * np.sqrt(1 / 12)) ** (2 / 3)))
"""The end of the support of Barenblatt's profile at t = 1."""
JKO = "Jordan, Kinderlehrer, Otto (1998), doi:10.1137/S0036141096303359"


@dataclass(frozen=True, kw_only=True)
class JkoFlows(Study):
    """The Ornstein-Uhlenbeck and porous-medium flows by minimizing movements, against exact solutions.

    - `normal`: V = x^2/2 with entropy from N(1, .3^2), where law and movements are both known:
      m -> m/(1 + tau), s -> (s + sqrt(s^2 + 4 tau (1 + tau)))/(2 (1 + tau));
    - `porous medium`: int rho^2 from Barenblatt's profile rho = t^{-1/3} (C - x^2 t^{-2/3}/12)_+ at
      t = .05, whose support grows like t^{1/3}; its movements scale it by s -> s + tau/(3 s^2)
      at the new s, s = 1 at t = 1.

    The dataset has, over (flow, save), densities `density` at the middles `x` of gaps and
    `density_exact` at `x_exact`; and over (flow, step) `energy`, `moved` (W2 of a step) and the same of
    the equation; `error`, the distance of the quantiles from the exact movements, and `front`, that
    of the end of the support from the equation's, over the last gap.

    Source: Jordan, Kinderlehrer, Otto (1998), doi:10.1137/S0036141096303359; Barenblatt (1952).
    """

    tau: float = 0.05
    """Time step."""
    steps: int = 40
    """Steps."""
    n: int = 60
    """Quantiles."""
    shown: tuple[int, ...] = (0, 2, 8, 40)
    """Steps whose densities are kept."""

    QUANTITIES: ClassVar = {
        "time": "time of the save",
        "x": "middles of gaps between quantiles",
        "density": "density",
        "x_exact": "points of the exact density",
        "density_exact": "density, exact",
        "energy": "free energy",
        "moved": "W2 of a step",
        "excess": "energy by which a step exceeds the least",
        "error": "largest error of a quantile against exact steps",
        "front": "error of the front, in gaps",
        "save": "step that is drawn",
        "flow": "which flow",
    }

    def check(self) -> None:
        check_that(max(self.shown) <= self.steps, "steps >= every step of shown", self.steps,
                   f"pass steps={max(self.shown)} or more")  # fmt: skip
        check_that(self.n > 2, "n > 2", self.n, "densities stand at gaps: pass n=60")

    def cells(self) -> list[dict]:
        return grid(flow=("normal", "porous medium"))

    def compute(self, cell: dict) -> xr.Dataset:
        normal = cell["flow"] == "normal"
        u = (np.arange(self.n) + 0.5) / self.n
        energy = Potential(lambda x: x[0] ** 2 / 2) + Entropy() if normal else InternalEnergy(2.0)
        scheme = QuantileJKO(energy, self.tau)
        law, exact = (_normal, self._normal_steps()) if normal else (_porous, self._porous_steps())
        shape = ndtri(u) if normal else EDGE * (2 * betaincinv(2, 2, u) - 1)
        m, s = exact[0]
        look = {"x": lambda x: x}
        run = rollout(scheme, jnp.asarray(m + s * shape), self.steps, observe=look)
        x = np.asarray(run.values["x"])
        times = self.tau * np.arange(self.steps + 1)
        path = np.array([law(t) for t in times])  # mean, scale
        first = float(energy.on_quantiles(scheme.domain, jnp.asarray(x[0])))
        spread = 1.0 if normal else float(np.sqrt(EDGE**2 / 5))
        moves = np.hypot(*np.diff(path, axis=0).T * np.array([[1.0], [spread]]))
        kept = list(self.shown)
        reach = 3.5 if normal else EDGE
        grid = np.linspace(-reach, reach, 201)
        values = [_values(normal, m, s, grid) for m, s in path[kept]]
        gaps = np.diff(x[kept], axis=-1)
        edge = float(Line().support(run.final, 2.0)[1]) - EDGE * path[-1, 1]
        return xr.Dataset(
            {
                "time": ("save", times[kept]),
                "x": (("save", "gap"), (x[kept, 1:] + x[kept, :-1]) / 2),
                "density": (("save", "gap"), 1 / (self.n * gaps)),
                "x_exact": (("save", "point"), path[kept, :1] + path[kept, 1:] * grid),
                "density_exact": (("save", "point"), np.array(values)),
                "energy": ("step", np.append(first, run.stats["energy"])),
                "energy_exact": ("step", [_energy(normal, m, s) for m, s in path]),
                "moved": ("step", np.append(np.nan, run.stats["moved"])),
                "moved_exact": ("step", np.append(np.nan, moves)),
                "excess": ("step", np.append(np.nan, run.stats["excess"])),
                "error": ("step", np.abs(x - exact[:, :1] - exact[:, 1:] * shape).max(axis=1)),
                "front": ((), 0.0 if normal else abs(edge) / gaps[-1, -1]),
            },
            {"step": np.arange(self.steps + 1), "save": kept},
        )

    def tiny(self) -> "JkoFlows":
        return replace(self, steps=10, n=20, shown=(0, 10))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for flow in dataset.flow.values:
            one = dataset.sel(flow=flow)
            made += [
                Claim.at_most(
                    f"{flow}: distance to the exact movements", one.error.values.max(), 1e-10, JKO
                ),
                Claim.at_most(
                    f"{flow}: excess of the energy inequality", one.excess.values[1:].max(), 0.0, JKO, 1e-12
                ),
            ]  # fmt: skip
        front = dataset.front.sel(flow="porous medium")
        source = "Barenblatt (1952); order 1 in tau"
        return [*made, Claim.at_most("end of the support, in gaps", front, 1.0, source)]

    def _normal_steps(self) -> np.ndarray:
        tau, found = self.tau, [(1.0, 0.3)]
        for _ in range(self.steps):
            m, s = found[-1]
            found.append((m / (1 + tau), (s + np.sqrt(s**2 + 4 * tau * (1 + tau))) / (2 + 2 * tau)))
        return np.array(found)

    def _porous_steps(self) -> np.ndarray:
        found = [_porous(0.0)[1]]
        for _ in range(self.steps):
            roots = np.roots([1.0, -found[-1], 0.0, -self.tau / 3])
            found.append(float(roots[np.argmax(roots.real)].real))
        return np.stack([np.zeros(len(found)), found], axis=1)


def _normal(t: float) -> tuple[float, float]:
    """Mean and deviation at time t."""
    return float(np.exp(-t)), float(np.sqrt(1 - (1 - 0.3**2) * np.exp(-2 * t)))


def _porous(t: float) -> tuple[float, float]:
    """Mean, and the scale relative to the profile at 1, at time t after .05."""
    return 0.0, (t + 0.05) ** (1 / 3)


def _values(normal: bool, m: float, s: float, grid: np.ndarray) -> np.ndarray:
    """The density at m + s grid."""
    shape = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) if normal else (EDGE**2 - grid**2) / 12
    return shape / s


def _energy(normal: bool, m: float, s: float) -> float:
    if normal:
        return (m**2 + s**2) / 2 - np.log(s) - np.log(2 * np.pi * np.e) / 2
    # int rho^2 = EDGE^5 (16/15)/144 at s = 1.
    return EDGE**5 * 16 / 15 / 144 / s
