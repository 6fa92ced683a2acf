from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float

from ..._typing import Key, Points
from ...attention.engines import Harmonic
from ...attention.kernels import Unnormalized
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...harmonics import AbstractBasis, Fourier
from ...measures import Uniform
from ...solve import simulate
from ...solve.methods import GeodesicLM
from ..machinery import AbstractCellwiseStudy, Claim, check_that, program_of_runs
from ._growth_rates import multiplier

SOURCE = "linear fluctuation theory, as in Dawson (1983), J. Stat. Phys. 31, 29-85"


@dataclass(frozen=True, kw_only=True)
class Fluctuations(AbstractCellwiseStudy):
    """Spectrum of a finite noisy cloud above threshold: n E|rho_k|^2 = noise / (noise - s_k).

    USA on the circle, rho_k = 1/n sum_j e^{-i k theta_j}, s_k = a_k/beta, noise > s_1. About the
    uniform law, mode k is an Ornstein-Uhlenbeck process of rate k^2 (noise - s_k), driven by 1/n times
    independent noises. Two corrections are known:

    - Euler steps of length h (Brownian angle exact) have, to leading order in 1/n,
      V_h = (1 - m^2) / (1 - m^2 (1 + h k^2 s_k)^2), m = e^{-noise k^2 h}: `stepped`, of order h away.
      The steps taken, of Leimkuhler and Matthews, are of order h^2 away, which that bounds.
    - The law of the cloud is e^{-n F}, F = a_1 |rho_1|^2 + a_2 |rho_2|^2 - Re rho_1^2 conj(rho_2)
      + |rho_1|^4 / 2 + ..., with a_k = 1 - s_k/noise. To next order E|rho_1|^2 is smaller by the share
      (2 - 1/a_2) / (n a_1^2), which bounds what the other modes owe to mode 1: `bias` is
      2 / (n a_1^2).

    `spectrum` is the mean over independent chains and times, `spectrum_error` its standard error from
    the spread of the chains, and `sampling` the same in theory: |rho_k|^2 is exponential, and two looks
    a time D apart have the correlation e^{-2 k^2 (noise - s_k) D}.

    Source: Dawson (1983), J. Stat. Phys. 31, 29-85; the corrections are ours.
    """

    noise_over_critical: tuple[float, ...] = (1.5, 3.0)
    """The noise in units of the threshold a_1/beta, above 1."""
    beta: float = 2.0
    """Inverse temperature."""
    n: int = 500
    """Tokens of a chain."""
    chains: int = field(default=64, metadata={"least": 2})
    """Independent chains."""
    max_degree: int = 6
    """Largest degree k."""
    dt: float = 0.02
    """Step h."""
    relaxations: int = 40
    """Length of a chain in units of the slowest relaxation time; five more are discarded."""

    GRID: ClassVar = {"noise_over_critical": "noise_over_critical"}
    QUANTITIES: ClassVar = {
        "exact": "n E|rho_k|^2, in theory",
        "sampling": "standard error of the spectrum, in theory",
        "stepped": "n E|rho_k|^2 of Euler steps, in theory",
        "bias": "bound on the next order in 1/n",
        "spectrum": "n E|rho_k|^2",
        "noise_over_critical": "noise over nu_c",
    }

    def check(self) -> None:
        least = min(self.noise_over_critical)
        check_that(
            least > 1, "noise_over_critical > 1", least, "below, the uniform law is unstable"
        )

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        scaled = multiplier(np.arange(1, self.max_degree + 1), self.beta, 2)
        strength = scaled * np.exp(self.beta) / self.beta
        noise = cell["noise_over_critical"] * strength[0]
        every = self._every(strength, noise)
        ts = jnp.asarray(self.dt * every * np.arange(2 * (self.relaxations + 5) + 1))
        attention = Unnormalized(self.beta, engine=Harmonic.of(self.beta, 2, 1e-8))
        flow = AttentionFlow(Sphere(2), attention, noise=noise)
        keys = jax.random.split(self.key(cell), self.chains)
        basis = Fourier(self.max_degree)
        power = self.n * np.asarray(_chains(flow, basis, keys, ts, jnp.asarray(self.dt), self.n))
        chains = power[:, 10:].mean(axis=1)  # [chain, degree]
        return self._theory(strength, noise).assign(
            spectrum=("degree", chains.mean(axis=0), {"long_name": "n E|rho_k|^2"}),
            spectrum_error=("degree", chains.std(axis=0, ddof=1) / np.sqrt(self.chains)),
        )

    def _every(self, strength: Float[np.ndarray, " k"], noise: float) -> int:
        """Steps between two looks: two in a relaxation time 1/(noise - s_1)."""
        return max(1, round(0.5 / (noise - strength[0]) / self.dt))

    def _theory(self, strength: Float[np.ndarray, " k"], noise: float) -> xr.Dataset:
        k = np.arange(1, self.max_degree + 1)
        kept = np.exp(-2 * noise * k**2 * self.dt)
        stepped = (1 - kept) / (1 - kept * (1 + self.dt * k**2 * strength) ** 2)
        exact = noise / (noise - strength)
        apart = self.dt * self._every(strength, noise)
        alike = np.exp(-2 * k**2 * (noise - strength) * apart)
        looks = self.chains * (2 * self.relaxations + 1) * (1 - alike) / (1 + alike)
        return xr.Dataset(
            {
                "exact": ("degree", exact),
                "sampling": ("degree", exact / np.sqrt(looks)),
                "stepped": ("degree", stepped),
                "bias": ((), 2 / (self.n * (1 - strength[0] / noise) ** 2)),
                "noise": ((), noise),
            },
            {"degree": k},
        )

    def tiny(self) -> "Fluctuations":
        ratio = self.noise_over_critical[-1:]
        return replace(self, noise_over_critical=ratio, n=100, chains=24, relaxations=20, dt=0.04)

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        made = []
        for k in one.degree.values:
            at = one.sel(degree=k)
            name = f"n E|rho_{k}|^2 at {float(one.noise_over_critical):g} times the critical noise"
            # Four standard errors, the next order in 1/n and the first order in the step.
            tolerance = 4 * at.sampling + at.bias * at.exact + abs(at.stepped - at.exact)
            made += Claim.telling(name, at.spectrum, at.exact, tolerance, SOURCE)
        return made


@program_of_runs
def _chains(
    flow: AttentionFlow, basis: AbstractBasis, keys, ts, dt, n: int
) -> tuple[Float[Array, "chains T k"], Bool[Array, " chains"]]:
    """|rho_k|^2 of each chain at each time."""
    observe = {"power": partial(_power, basis)}

    def one(key: Key):
        first, second = jax.random.split(key)
        x0 = Uniform(2).sample(first, n)
        solver = GeodesicLM(flow.geometry)
        run = simulate(flow, x0, ts, key=second, dt=dt, observe=observe, solver=solver, throw=False)
        return run.values["power"], run.ok

    return jax.vmap(one)(keys)


def _power(basis: AbstractBasis, x: Points) -> Float[Array, " k"]:
    """|1/n sum e^{-i k theta}|^2, k = 1, 2, ...: each coefficient carries a factor sqrt 2."""
    pairs = basis.moments(x)[1:].reshape(-1, 2)
    return jnp.sum(pairs**2, axis=1) / 2
