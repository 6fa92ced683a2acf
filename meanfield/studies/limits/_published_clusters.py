import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Complex, Float

from ..._checks import check_choice
from ..._typing import Points, Scalar
from ...attention.engines import Harmonic
from ...attention.kernels import AbstractAttention, Unnormalized
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...landscape.densities import fastest_mode, growth_rates
from ...solve import simulate
from ..machinery import AbstractCellwiseStudy, Claim, check_that, some_of
from ._first_clusters import modes

PAPER = "Bruno, Pasqualotto, Agazzi 2024, arXiv 2410.23228"
BINS, SAVES, DEGREES = 180, 60, 8
STEPS = {5.0: 6000, 7.0: 1000}
"""Published steps, by beta; the pictures are taken at steps 3000 and 450."""
PICTURES = {5.0: 30, 7.0: 27}
"""The save at which the paper shows a histogram."""


@dataclass(frozen=True, kw_only=True)
class PublishedClusters(AbstractCellwiseStudy):
    """Places of the 3 and 4 first clusters of 20,000 uniform tokens on the circle: the start decides them.

        theta_i' = 1/n sum_j e^{beta cos(theta_i - theta_j)} sin(theta_j - theta_i)

    This is USA on the circle as it stands in this package, without a factor 1/beta, so that the
    growth rate of degree k is k^2 I_k(beta)/beta; the paper prints `printed_rate(rate)` = rate/pi. A
    cloud of n independent uniform tokens has rho_k = 1/n sum e^{-i k theta}; the mode that wins
    puts its k clusters at (2 pi j - arg rho_k(0))/k. Two modes of solution:

    - `faithful_...`: the published explicit Euler steps dt = 1e-4 in the angles;
    - accurate: adaptive steps of `simulate`, on the sphere.

    Histograms and modes are kept at 61 times. Modes of nearly equal rates start with random sizes:
    which one wins is chance (see `FirstClusters`); `seed` is one where the fastest wins at both
    temperatures, as in the paper. `seconds` is the wall time of the published steps.

    Source: Bruno, Pasqualotto, Agazzi, arXiv 2410.23228, and its authors' code.
    """

    seed: int = 0
    """Seed of the start."""
    beta: tuple[float, ...] = (5.0, 7.0)
    """Inverse temperatures, of those with published steps."""
    n: int = 20_000
    """Tokens."""
    stride: int = 1
    """Published steps in a step of this run: 1 is faithful."""

    GRID: ClassVar = {"beta": "beta"}
    QUANTITIES: ClassVar = {
        "faithful_rho": "mode, published steps (real and imaginary part)",
        "rho": "mode (real and imaginary part)",
        "faithful_density": "density over that of the uniform law, published steps",
        "density": "density over that of the uniform law",
        "tokens": "number of tokens",
        "seconds": "wall time of the published steps [s]",
    }

    def check(self) -> None:
        for beta in self.beta:
            each = STEPS[check_choice(beta, STEPS, "beta")] // SAVES
            check_that(self.stride <= each, f"stride <= {each} at beta = {beta:g}", self.stride,
                       "pass stride=1 for the published steps")  # fmt: skip

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        beta = cell["beta"]
        attention = Unnormalized(beta, engine=Harmonic.of(beta, 2, 1e-10))
        angles = 2 * jnp.pi * jax.random.uniform(self.key(cell), (self.n,))
        each = STEPS[beta] // SAVES // self.stride
        began = time.perf_counter()
        dt = jnp.asarray(1e-4 * self.stride)
        counts, rho = jax.block_until_ready(_published(attention, angles, dt, each))
        seconds = time.perf_counter() - began
        ts = 1e-4 * STEPS[beta] * jnp.linspace(0.0, 1.0, SAVES + 1)
        observe = {"counts": _counts_of, "rho": partial(modes, DEGREES)}
        flow = AttentionFlow(Sphere(2), attention)
        run = simulate(flow, _on_circle(angles), ts, tol=1e-7, observe=observe)
        rates = growth_rates(attention, 2, 0.0, DEGREES)[1:]
        return xr.Dataset(
            {
                **_looks("faithful_", counts, rho, self.n),
                **_looks("", run.values["counts"], run.values["rho"], self.n),
                "time": ("save", ts),
                "tokens": ((), self.n),
                "dt": ((), dt, {"long_name": "step of the Euler method"}),
                "rate": ("degree", rates, {"long_name": "growth rate"}),
                "fastest": ((), int(fastest_mode(attention, 2))),
                "picture": ((), PICTURES[beta], {"long_name": "save of the published picture"}),
                "rhs": ((), int(run.stats["rhs"]), {"long_name": "right-hand sides, accurate"}),
                "seconds": ((), seconds),
            },
            {
                "degree": np.arange(1, DEGREES + 1),
                "angle": 2 * np.pi * (np.arange(BINS) + 0.5) / BINS,
            },
        )

    def tiny(self) -> "PublishedClusters":
        return replace(self, beta=some_of(self.beta, (5.0,)), n=2_000, stride=10)

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        tag, k = f"beta={float(one.beta):g}", int(one.fastest)
        seen = one.isel(save=int(one.picture)).sel(degree=k)
        start, rate = one.isel(save=0).sel(degree=k), float(seen.rate)
        # Euler's amplification (1 + h r)^m falls short of e^{r t} by the share h r^2 t / 2, and a late
        # start of clusters by that share shows in |rho|, which is at most 1.
        step = 1e-4 * self.stride
        lag = 2 * step * rate**2 * float(seen.time) / 2
        modulus = lambda at, name: float(np.hypot(*at[name]))
        turned = _phase(seen.rho) - _phase(start.rho)
        turned = abs((turned + np.pi) % (2 * np.pi) - np.pi)
        sizes = np.hypot(*one.rho.isel(save=int(one.picture)))
        winner = int(one.degree[int(sizes.argmax("degree"))])
        return [
            Claim.close(f"clusters at the published time, {tag}", winner, k, 0, PAPER),
            Claim.close(
                f"|rho_{k}| at the published time by Euler, {tag}",
                modulus(seen, "faithful_rho"), modulus(seen, "rho"), lag, "adaptive steps",
            ),
            # Quadratic terms turn a mode by shares sqrt(k*^2 / n) of the other modes over its own.
            Claim.at_most(
                f"clusters from their predicted centres, in spacings, {tag}",
                turned / (2 * np.pi), 0.1, f"{PAPER}: (2 pi j - arg rho_k)/k",
            ),
        ]  # fmt: skip


def printed_rate(rate):
    """The growth rate gamma_k as arXiv 2410.23228 prints it, from that of its own code: rate/pi."""
    return rate / np.pi


def _looks(prefix: str, counts, rho: Complex[Array, "T k"], n: int) -> dict[str, tuple]:
    density = np.asarray(counts) * BINS / n
    parts = np.stack([np.real(rho), np.imag(rho)])
    label = "density over that of the uniform law"
    return {
        f"{prefix}density": (("save", "angle"), density, {"long_name": label}),
        f"{prefix}rho": (("part", "save", "degree"), parts, {"long_name": "mode"}),
    }


def _phase(rho: xr.DataArray) -> float:
    return float(np.arctan2(rho.isel(part=1), rho.isel(part=0)))


def _on_circle(angles: Float[Array, " n"]) -> Points:
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


def _counts_of(x: Points) -> Float[Array, " bins"]:
    """The number of tokens in each of BINS equal arcs."""
    turn = jnp.arctan2(x[:, 1], x[:, 0]) / (2 * jnp.pi) % 1
    return jnp.bincount((turn * BINS).astype(int), length=BINS).astype(x.dtype)


@partial(jax.jit, static_argnums=3)
def _published(attention: AbstractAttention, angles: Float[Array, " n"], dt: Scalar, each: int):
    """Histograms and modes at each save of the explicit Euler method in the angles."""

    def step(_, angles):
        x = _on_circle(angles)
        across = jnp.stack([-x[:, 1], x[:, 0]], axis=1)
        return angles + dt * jnp.sum(across * attention(x), axis=1)

    def look(angles):
        x = _on_circle(angles)
        return _counts_of(x), modes(DEGREES, x)

    def save(angles, _):
        return jax.lax.fori_loop(0, each, step, angles), look(angles)

    angles, looks = jax.lax.scan(save, angles, length=SAVES)
    return jax.tree.map(lambda past, now: jnp.concatenate([past, now[None]]), looks, look(angles))
