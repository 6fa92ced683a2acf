from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Complex, Float

from ..._typing import Key, Points
from ...attention.engines import Harmonic
from ...attention.kernels import Unnormalized
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...harmonics import Fourier
from ...landscape.densities import fastest_mode, growth_rates
from ...measures import Uniform
from ...solve import simulate
from ..machinery import AbstractCellwiseStudy, Claim, program_of_runs, some_of

SOURCE = "k* = argmax k^2 I_k(beta)/beta: linearization about the uniform law"
NUMBERS = {1: 1, 2: 2, 4: 3, 5: 3, 7: 4, 10: 4, 20: 6, 50: 10, 100: 14}
"""The first numbers of clusters k* by beta."""
DEGREES = 20


@dataclass(frozen=True, kw_only=True)
class FirstClusters(AbstractCellwiseStudy):
    """Number of first clusters of USA on the circle, over beta: the degree k* that grows fastest.

    `theory` is the rate k^2 a_k/beta and `fastest` its k*. For beta up to `largest_simulated` clouds
    of n independent uniform tokens are run: rho_k starts at random with size n^{-1/2} and grows, and
    `rate` is log sum |conj rho_k(0) rho_k(t)| / sum |rho_k(0)|^2 over t, the sums over clouds, up to the
    time t of a growth by e^2. `rate_error` is its jackknife error. The degree of largest `rate` is to be
    k* wherever the gap to every other theoretical rate exceeds the blur of the two that are compared;
    where it does not, the claim's source names the degrees that clouds cannot tell from k*.

    Which mode is largest when clusters form, `dominant`, is chance where rates are close: modes
    start with random sizes, and grow by factors of about e^4 in all. No claim is made of it.

    Source: the growth rates are linearized as in arXiv 2410.23228 and 2604.16288; their test by clouds is
    ours.
    """

    beta: tuple[float, ...] = (1.0, 2.0, 4.0, 5.0, 7.0, 10.0, 20.0, 50.0, 100.0)
    """Inverse temperatures."""
    largest_simulated: float = 20.0
    """The largest beta at which tokens are run."""
    n: int = 20_000
    """Tokens of a cloud."""
    clouds: int = field(default=12, metadata={"least": 2})
    """Independent clouds."""

    GRID: ClassVar = {"beta": "beta"}
    QUANTITIES: ClassVar = {
        "theory": "growth rate, closed form",
        "rate": "growth rate of clouds",
        "dominant": "share of clouds that it wins",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        beta = cell["beta"]
        attention = Unnormalized(beta, engine=Harmonic.of(beta, 2, 1e-8))
        theory = np.asarray(growth_rates(attention, 2, 0.0, DEGREES))[1:]
        rate = error = share = np.full(DEGREES, np.nan)
        if beta <= self.largest_simulated:
            flow = AttentionFlow(Sphere(2), attention)
            keys = jax.random.split(self.key(cell), self.clouds)
            ts = jnp.asarray([0.0, 2.0, 4.0]) / theory.max()
            rho = np.asarray(_clouds(flow, keys, ts, self.n))  # [cloud, time, degree]
            rate, error = _rate(rho[:, 0], rho[:, 1], float(ts[1]))
            winners = 1 + np.abs(rho[:, 2]).argmax(axis=1)
            share = np.bincount(winners, minlength=DEGREES + 1)[1:] / self.clouds
        return xr.Dataset(
            {
                "theory": ("degree", theory),
                "rate": ("degree", rate),
                "rate_error": ("degree", error),
                "dominant": ("degree", share),
                "fastest": ((), int(fastest_mode(attention, 2))),
            },
            {"degree": np.arange(1, DEGREES + 1)},
        )

    def tiny(self) -> "FirstClusters":
        return replace(self, beta=some_of(self.beta, (5.0, 100.0)), n=2_000, clouds=4)

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        beta, made = float(one.beta), []
        if (number := NUMBERS.get(beta)) is not None:  # pyright: ignore[reportArgumentType]
            name = f"first clusters, beta={beta:g}"
            made.append(Claim.close(name, one.fastest, number, 0, SOURCE))
        if beta > self.largest_simulated:
            return made
        best = one.sel(degree=int(one.fastest))
        name = f"growth of degree {int(best.degree)} in clouds over theory, beta={beta:g}"
        blur = (3 * best.rate_error + self._bias(best)) / best.theory
        made += Claim.telling(name, best.rate / best.theory, 1, blur, SOURCE)
        return [*made, *self._seen(beta, one, best)]

    def _seen(self, beta: float, one: xr.Dataset, best: xr.Dataset) -> list[Claim]:
        """That the degree of fastest growth in clouds is k*, unless others are too close to be told."""
        seen = one.sel(degree=int(one.degree[int(np.argmax(one.rate.values))]))
        # Two rates are compared, each blurred by 3 standard errors and by the bias. The factor of growth
        # of another degree is seen up to 1 + 3 t error times as large, a rate its logarithm over t.
        time = 2 / best.theory
        above = np.log1p(3 * time * one.rate_error) / time
        blur = 3 * best.rate_error + above + 2 * self._bias(best)
        close = (best.theory - one.theory <= blur) & (one.degree != best.degree)
        if not close.any():
            name = f"degree of fastest growth in clouds, beta={beta:g}"
            return [Claim.close(name, seen.degree, best.degree, 0, SOURCE)]
        others = ", ".join(f"{k}" for k in one.degree.values[close.values])
        name = f"growth of k={int(seen.degree)}, fastest in clouds, over the largest, beta={beta:g}"
        source = f"{SOURCE}; clouds cannot tell k = {others} from it"
        allowed = blur.sel(degree=seen.degree) / best.theory
        # No rate of theory is above the largest, so that this is a bound from below.
        return Claim.telling(name, seen.theory / best.theory, 1, allowed, source)

    def _bias(self, best: xr.Dataset) -> xr.DataArray:
        """What nonlinear terms add to a rate, at the most.

        Products of two modes of size n^{-1/2} e^2 shift the amplification e^2 by shares of n^{-1/2} e^2
        at random, which the clouds' spread shows, and of n^{-1} e^4 on average; a rate is its
        logarithm over that of e^2.
        """
        return best.theory * np.exp(4) / (2 * self.n)


def _rate(
    start: Complex[np.ndarray, "s k"], end: Complex[np.ndarray, "s k"], time: float
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """The growth rates of modes, and their jackknife errors."""
    product, power = start.conj() * end, np.abs(start) ** 2
    rate = lambda p, q: np.log(np.abs(p) / q) / time
    without = rate(product.sum(0) - product, power.sum(0) - power)
    share = (len(start) - 1) / len(start)
    error = np.sqrt(share * ((without - without.mean(0)) ** 2).sum(0))
    return rate(product.sum(0), power.sum(0)), error


@program_of_runs
def _clouds(
    flow: AttentionFlow, keys, ts: Float[Array, " T"], n: int
) -> tuple[Complex[Array, "clouds T k"], Bool[Array, " clouds"]]:
    observe = {"rho": partial(modes, DEGREES)}

    def one(key: Key):
        x0 = Uniform(2).sample(key, n)
        run = simulate(flow, x0, ts, tol=1e-5, observe=observe, throw=False)
        return run.values["rho"], run.ok

    return jax.lax.map(one, keys)


def modes(degree: int, x: Points) -> Complex[Array, " k"]:
    """rho_k = 1/n sum_j e^{-i k theta_j}, k = 1 .. degree, of a cloud on the circle."""
    basis = Fourier(degree)
    pairs = basis.moments(x)[1:].reshape(-1, 2) / 2**0.5
    return jax.lax.complex(pairs[:, 0], -pairs[:, 1])
