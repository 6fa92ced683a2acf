from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import scipy
import xarray as xr

from ...attention.kernels import AbstractExponential, Softmax, Unnormalized
from ...dynamics.reductions import Equiangular
from ...observables import hitting_time
from ..machinery import (
    AbstractDiagramStudy,
    Claim,
    check_that,
    disjoint_products,
    uniform_starts,
    wilson,
)

PAPER = "Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794"
STIFF_LAYERS = r"layers, step 0.1/\max(\sqrt{\beta}e^{\beta-1/2},1)"
LINEAR_BETA = 4.0
"""Up to here the distance to the equiangular curve is about its first-order term from d = n on."""


@dataclass(frozen=True, kw_only=True)
class PhaseDiagram(AbstractDiagramStudy):
    """When two of n uniform tokens have met: P(<x_1, x_2> >= 1 - delta) over time and beta.

    Self-attention with Q = K = V = I. As d grows, random tokens become orthonormal and the boundary
    sharpens to the hitting time of the equiangular reduction, which grows like e^beta: to its left
    tokens are apart, to its right they are one. In low d tokens rest in several clusters instead.

    `probability` averages over the n/2 disjoint pairs of each cloud, which by exchangeability have
    one law; `low` and `high` are Wilson's 95 % interval from the first pair alone. The same starts
    serve every beta. `orthonormal` is <x_1, x_2> from n orthonormal tokens under the same
    integrator, the limit of large d; `deviation` is the root mean square distance from it (d >= n).
    Without `normalized` it is the same diagram for unnormalized attention, which the paper draws up to
    `end` = 1: there tokens that meet do so at rates up to 2 e^beta.

    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, figure 3 and section 6.
    """

    dimensions: tuple[int, ...] = (2, 8, 32, 128, 512, 1024)
    """Ambient dimensions d; above n they cost no more than n."""
    n: int = 32
    """Tokens."""
    realizations: int = 1024
    """Random starts."""
    normalized: bool = True
    """Softmax; otherwise unnormalized attention."""

    QUANTITIES: ClassVar = {
        "probability": "P(<x_1, x_2> >= 1 - delta)",
        "low": "lower end of the 95 % interval of the probability",
        "high": "upper end of the 95 % interval of the probability",
        "deviation": "root mean square distance from orthonormal starts",
        "orthonormal": "<x_1, x_2> from orthonormal starts",
        "orthonormal_time": "time at which orthonormal starts meet",
    }

    def check(self) -> None:
        check_that(self.n > 1, "n > 1", self.n, "two tokens have to meet: pass n=32")
        check_that(self.beta_min < self.beta_max or self.betas == 1, "beta_min < beta_max",
                   (self.beta_min, self.beta_max), "swap them")  # fmt: skip
        check_that(self.delta < 1, "delta < 1", self.delta, "pass delta=1e-3")

    def cells(self) -> list[dict[str, Any]]:
        return self.sweep("d", self.dimensions)

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        d, betas = cell["d"], self.inverse_temperatures(cell["first"])
        key = jax.random.fold_in(jax.random.key(self.seed), d)
        starts = uniform_starts(key, self.realizations, self.n, d)
        if d >= self.n:
            starts = np.concatenate([starts, np.eye(self.n, dtype=starts.dtype)[None]])
        found = {
            k: np.asarray(v)[None] for k, v in _count(self, jnp.asarray(betas), starts).items()
        }
        low, high = wilson(found.pop("hits"), self.realizations)
        arrays = {k: (("d", "beta", "time")[: v.ndim], v) for k, v in found.items()}
        arrays |= {k: (("d", "beta", "time"), v) for k, v in (("low", low), ("high", high))}
        return xr.Dataset(arrays, {"d": [d], "beta": betas, "time": np.asarray(self.times())})

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = xr.combine_by_coords(parts)
        assert isinstance(whole, xr.Dataset)
        when = partial(_first_time, jnp.asarray(whole.time.values))
        whole["half_time"] = ("d", "beta"), when(whole.probability.values, 0.5)
        whole["orthonormal_time"] = ("d", "beta"), when(whole.orthonormal.values, 1 - self.delta)
        whole["equiangular_time"] = "beta", self._theory(whole.beta.values)
        whole.probability.attrs["long_name"] = "P(<x_1, x_2> >= 1 - delta)"
        whole.half_time.attrs["long_name"] = "time at which the probability reaches 1/2"
        whole.equiangular_time.attrs["long_name"] = "hitting time of the equiangular reduction"
        label = self.integrator() if self.normalized or not self.faithful else STIFF_LAYERS
        return whole.assign_attrs(integrator=label)

    def tiny(self) -> "PhaseDiagram":
        high = [d for d in self.dimensions if d >= 16] or self.dimensions
        few = {"dimensions": tuple(dict.fromkeys((high[0], high[-1]))), "n": 16}
        sweep = {"betas": 4, "chunk": 4, "beta_min": 1.0, "beta_max": 4.0}
        end = 15.0 if self.normalized else 3.0
        return replace(self, **few, **sweep, realizations=32, end=end, checkpoints=75)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = [
            Claim.close(
                "share of runs completed", dataset.completed.values.min(), 1, 0, "no failure"
            ),
            self._claim_start(dataset),
        ]
        if max(self.dimensions) >= self.n:
            claims.append(self._claim_orthonormal(dataset))
        if not self.normalized:
            return claims
        high = dataset.sel(d=dataset.d >= self.n, beta=dataset.beta <= LINEAR_BETA)
        if self.faithful:
            claims.append(self._claim_artefact(high))
        if high.sizes["d"] > 1:
            claims += self._claim_order(high)
        return claims + [self._claim_contour(high.sel(d=d)) for d in high.d.values]

    def _claim_start(self, dataset: xr.Dataset) -> Claim:
        """At t = 0 the disjoint pairs are independent, and their probability is that of a cap."""
        d, pairs = int(dataset.d.min()), self.realizations * (self.n // 2)
        cap = scipy.special.betainc((d - 1) / 2, 0.5, 1 - (1 - self.delta) ** 2) / 2
        share = dataset.probability.sel(d=d).isel(beta=0, time=0)
        error = 4 * np.sqrt(cap / pairs) + 4 / pairs  # 4 standard deviations, and a little for few
        return Claim.close(f"d={d}: P at t=0", share, cap, error, "measure of a spherical cap")

    def _claim_orthonormal(self, dataset: xr.Dataset) -> Claim:
        """Orthonormal tokens are equiangular for ever: their time is a quadrature."""
        ratio = dataset.orthonormal_time / dataset.equiangular_time
        # Infinity is a time that was not reached; a NaN fails.
        ratio = ratio.sel(d=dataset.d >= self.n).values
        ratio = ratio[~np.isinf(ratio)]
        # Between saves s apart the gap is like e^{-2t}: interpolation errs by s^2/4 in time. Without
        # softmax it is like e^{-2 e^beta t}: by up to s.
        spacing = self.end / self.checkpoints
        error = spacing**2 / 4 if self.normalized else spacing
        error /= float(dataset.equiangular_time.min())
        if self.faithful:
            # Layers lag by a factor from h/log(1+h) (merging) to 1+h (orthonormal), up to h^2, where
            # speeds are at most 1; without softmax the step keeps h times the speed below .1.
            h = self.step() if self.normalized else 0.1
            error = h**2 + (0 if self.normalized else error)
            name, source = "slowest orthonormal layers", f"{PAPER}, x <- N(x + h f)"
            return Claim.at_most(name, ratio.max(), 1 + h, source, error)
        worst = np.abs(ratio - 1).max()
        name = "orthonormal tokens: time / quadrature - 1"
        return Claim.close(name, worst, 0, error + 10 * self.tol, f"{PAPER}, Theorem 6.8")

    def _claim_artefact(self, high: xr.Dataset) -> Claim:
        """Each layer contracts merging tokens by 1/(1+h), where the flow does by e^{-h}."""
        ratio = (high.orthonormal_time / high.equiangular_time).min()
        bound = self.step() / np.log1p(self.step())
        source = f"{PAPER}, x <- N(x + h f): tail rate 2 log(1+h)/h"
        return Claim.at_least("quickest orthonormal layers / quadrature", ratio, bound, source)

    def _claim_order(self, high: xr.Dataset) -> list[Claim]:
        """The distance of <x_i, x_j> from the equiangular curve falls like d^{-1/2}."""
        peak, log_d = np.log(high.deviation.max("time")), np.log(high.d.values)
        slope = np.polyfit(log_d, peak.values, 1)[0].mean()
        # A root mean square over N pairs errs by 1/sqrt(2N), pairs of one cloud counted once; the
        # second-order term is d^{-1/2} of the first at the least d.
        error = 4 / np.sqrt(2 * self.realizations) + high.d.values.min() ** -0.5
        span = log_d.max() - log_d.min()
        name = f"order in d of the distance to equiangular (beta <= {LINEAR_BETA:g})"
        return Claim.telling(name, slope, -0.5, error / span, f"{PAPER}, Theorem 6.8")

    def _claim_contour(self, at: xr.Dataset) -> Claim:
        """The contour P = 1/2 lies within d^{-1/2} of the equiangular curve, relatively."""
        worst = np.abs((at.half_time / at.orthonormal_time).values - 1).max()
        name = f"d={int(at.d)}: contour 1/2, relative distance (beta <= {LINEAR_BETA:g})"
        return Claim.at_most(name, worst, float(at.d) ** -0.5, f"{PAPER}, Theorem 6.8")

    def attention(self, beta) -> AbstractExponential:
        """Softmax or unnormalized attention, at this inverse temperature."""
        return Softmax(beta) if self.normalized else Unnormalized(beta)

    def _theory(self, betas: np.ndarray) -> np.ndarray:
        def time(beta):
            return Equiangular(self.attention(beta), self.n).hitting_time(self.delta)

        return np.asarray(jax.jit(jax.vmap(time))(jnp.asarray(betas)))


@partial(jax.jit, static_argnums=0)
def _count(study: PhaseDiagram, betas, starts):
    """What is counted at each beta; a start beyond the realizations is the orthonormal one."""

    def at(beta):
        watch = partial(
            study.follow, study.attention(beta), observe={"products": disjoint_products}
        )
        values, ok = jax.vmap(watch)(starts)
        products = values["products"]
        random = products[: study.realizations]
        limit = products[-1, :, 0] if len(starts) > study.realizations else jnp.nan
        limit = jnp.broadcast_to(limit, random.shape[1])
        reached = random >= 1 - study.delta
        return {
            "probability": reached.mean(axis=(0, 2), dtype=starts.dtype),
            "hits": reached[:, :, 0].sum(axis=0),
            "deviation": jnp.sqrt(jnp.mean((random - limit[:, None]) ** 2, axis=(0, 2))),
            "orthonormal": limit,
            "completed": ok.mean(dtype=starts.dtype),
        }

    return jax.lax.map(at, betas)


def _first_time(times, curves: np.ndarray, level: float) -> np.ndarray:
    """The time at which each curve [..., time] reaches the level; infinity if never."""
    rows = curves.reshape(-1, curves.shape[-1])
    found = jax.jit(jax.vmap(lambda row: hitting_time(times, row, level)))(rows)
    return np.asarray(found).reshape(curves.shape[:-1])
