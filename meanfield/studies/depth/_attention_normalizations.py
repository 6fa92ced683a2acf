from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...attention.engines import Harmonic
from ...attention.kernels import Sinkhorn, Softmax
from ...dynamics.densities import FokkerPlanck
from ...dynamics.particles import AttentionFlow
from ...energies import Entropy
from ...geometry import Sphere
from ...harmonics import Fourier
from ...observables import entropy_knn
from ...solve import simulate
from ..machinery import AbstractCellwiseStudy, Claim, check_that, program_of_runs, some_of

SOURCE = "arXiv 2312.10794: softmax, V = I clusters; arXiv 2110.11773: Sinkhorn, V = -I diffuses"


@dataclass(frozen=True, kw_only=True)
class AttentionNormalizations(AbstractCellwiseStudy):
    """Entropy under softmax and Sinkhorn attention, V = I and -I: the sign of V decides if it falls.

    Transformers that cluster (softmax, V = I) and Sinkformers that diffuse (doubly stochastic, V = -I)
    seem to contradict each other. Here are both weights with both signs on the circle, from one law
    1 + a cos(theta), without noise. `exact` is the entropy -int rho log rho of the mean-field density,
    `estimate` the Kozachenko-Leonenko entropy of n tokens that start as samples of that law and move
    by the same attention, with its `standard_error`.

    Source: the combination is ours; softmax of Geshkovski et al., arXiv 2312.10794, doubly stochastic
    attention of Sander et al., arXiv 2110.11773.
    """

    attentions: tuple[str, ...] = ("softmax", "sinkhorn")
    """Weights: softmax, or doubly stochastic."""
    signs: tuple[int, ...] = (1, -1)
    """V = sign * identity."""
    beta: float = 3.0
    """Inverse temperature."""
    tilt: float = 0.8
    """a: the start is 1 + a cos(theta)."""
    end: float = 3.0
    """Time at the end."""
    saves: int = 13
    """Times at which entropy is taken."""
    n: int = 1000
    """Tokens."""
    degree: int = 48
    """Degree of the density."""

    GRID: ClassVar = {"attention": "attentions", "sign": "signs"}
    QUANTITIES: ClassVar = {
        "estimate": "entropy of the tokens, estimated [nat]",
        "exact": "entropy of the mean-field density [nat]",
        "least": "least value of the density",
        "standard_error": "standard error of the estimate [nat]",
        "sign": "sign of the values, V = +-I",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        attention = self._attention(cell["attention"], cell["sign"])
        ts = jnp.linspace(0.0, self.end, self.saves)
        # The same tokens for every attention.
        found = _entropies(
            FokkerPlanck(Fourier(self.degree), attention),
            AttentionFlow(Sphere(2), attention),
            self.n,
            jnp.asarray(self.tilt),
            ts,
            jax.random.key(self.seed),
        )
        return xr.Dataset({k: ("time", np.asarray(v)) for k, v in found.items()}, {"time": ts})

    def check(self) -> None:
        check_that(set(self.signs) <= {1, -1}, "signs among (1, -1)", self.signs, "pass these")
        check_that(self.tilt < 1, "tilt < 1", self.tilt, "a density is positive: pass 0.8")
        check_that(self.n > 3, "n > 3", self.n, "the estimate looks for 3 neighbours: pass n=1000")
        check_that(self.saves > 1, "saves > 1", self.saves, "pass saves=13")

    def tiny(self) -> "AttentionNormalizations":
        few = {"n": 400, "saves": 3, "end": min(self.end, 1.0), "degree": 16}
        attentions = some_of(self.attentions, ("softmax",))
        return replace(self, attentions=attentions, signs=self.signs[:1], **few)

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        name = f"{cell['attention']}, V = {cell['sign']:+d}"
        steps = -cell["sign"] * np.diff(one.exact)
        gap = np.abs(one.estimate.values - one.exact.values).max()
        # Tokens feel their own cloud and not its law, which adds an error of the order of sampling. The
        # estimate is biased where the density is below k/n, k = 3 neighbours being what it looks for:
        # that is a share k/n of all tokens at most, each off by the log of a share of 1/n at most.
        bound = 4 * one.standard_error.values.max() + 3 * np.log(self.n) / self.n
        change = float(one.estimate[-1] - one.estimate[0])
        word, amount = ("falls", -change) if cell["sign"] > 0 else ("rises", change)
        return [
            Claim.at_least(f"{name}: exact entropy {word} at every step", steps.min(), 0.0, SOURCE),
            Claim.at_least(f"{name}: estimated entropy {word} by", amount, 0.0, SOURCE),
            *Claim.telling(
                f"{name}: estimate off the exact", gap, 0, bound, "sampling, 4 sigma", steps.sum()
            ),
        ]

    def _attention(self, name: str, sign: int):
        value = float(sign) * jnp.eye(2)
        if name == "softmax":
            return Softmax(self.beta, value=value, engine=Harmonic.of(self.beta, 2))
        return Sinkhorn(self.beta, value=value)


@program_of_runs
def _entropies(equation: FokkerPlanck, flow: AttentionFlow, n: int, tilt, ts, key):
    basis = equation.basis
    start = jnp.zeros(basis.size).at[0].set(1.0).at[1].set(tilt / jnp.sqrt(2.0))
    exact = {"exact": lambda c: -Entropy().on_density(basis, c), "least": equation.minimum}
    density = simulate(equation, start, ts, observe=exact, tol=1e-8, throw=False)
    x0 = equation.sample(key, start, n)
    cloud = simulate(flow, x0, ts, observe={"entropy": entropy_knn}, tol=1e-4, throw=False)
    estimate = cloud.values["entropy"]
    seen = {"estimate": estimate.value, "standard_error": estimate.standard_error}
    return density.values | seen, density.ok & cloud.ok
