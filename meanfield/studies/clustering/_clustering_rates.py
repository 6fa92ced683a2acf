from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..._typing import Points, Scalar
from ...attention.kernels import Softmax, Unnormalized
from ...dynamics.particles import AttentionFlow, PostNorm
from ...dynamics.reductions import Equiangular
from ...geometry import Sphere
from ...observables import hitting_time
from ...schemes import TransformerLayers
from ...solve import rollout, simulate
from ..machinery import Claim, Study, check_that, some_of

PAPER = "Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794"
WINDOW = np.linspace(-0.25, 0.25, 51)
"""Times about the expected one; between two saves .01 apart interpolation errs by 1e-5."""


@dataclass(frozen=True, kw_only=True)
class ClusteringRates(Study):
    """How fast tokens meet: from orthonormal starts, and once they are close.

    `flow_time` is when n orthonormal tokens have <x_1, x_2> = 1 - delta under softmax attention, by
    adaptive Tsit5; `layers_time` the same for the layers x <- N(x + h f(x)) of published codes, which
    take up to 1 + h times as long; `theory` the quadrature of the equiangular reduction.

    `softmax`, `unnormalized` and `layers` are contraction rates of 1 - <x_i, x_j> in clouds of
    radius `spread`: 2, 2 e^beta and 2 log(1+h)/h = 1.906 for h = .1, one a random start.

    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, sections 5 and 6.
    """

    betas: tuple[float, ...] = (1.0, 3.0, 5.0, 7.0, 9.0)
    """Inverse temperatures."""
    n: int = 32
    """Tokens."""
    delta: float = 1e-3
    """Tokens have met when <x_1, x_2> >= 1 - delta."""
    step: float = 0.1
    """Step h of the layers."""
    tol: float = 1e-8
    """Tolerance of the adaptive integrator."""
    d: int = 8
    """Ambient dimension of the clouds that are close to one point."""
    spread: float = 1e-3
    """Standard deviation of their coordinates."""
    realizations: int = field(default=64, metadata={"least": 2})
    """Number of such clouds."""

    GRID: ClassVar = {"beta": "betas"}
    QUANTITIES: ClassVar = {
        "completed": "whether all runs ended well",
        "layers": "contraction rate, layers",
        "softmax": "contraction rate, softmax",
        "unnormalized": "contraction rate, unnormalized",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        beta = jnp.asarray(cell["beta"])
        theory = self._theory(beta)
        flow_time, layers_time, ok = _meet(self, beta, theory, self._layers())
        shape = (self.realizations, self.n, self.d)
        noise = self.spread * jax.random.normal(self.key(cell), shape)
        clouds = Sphere(self.d).project(noise.at[..., 0].add(1))
        rates = _contract(self, beta, clouds)
        return xr.Dataset(
            {
                "theory": ((), theory, {"long_name": "equiangular hitting time"}),
                "flow_time": ((), flow_time, {"long_name": f"Tsit5, tol {self.tol:.0e}"}),
                "layers_time": ((), layers_time, {"long_name": f"layers, step {self.step:g}"}),
                "completed": ((), ok),
                **{name: ("realization", rate) for name, rate in rates.items()},
            }
        )

    def check(self) -> None:
        check_that(self.n > 1, "n > 1", self.n, "two tokens have to meet: pass n=32")
        # The window opens before the expected time, which is half of log(1/delta) at the least.
        check_that(self.delta < 0.5, "delta < 1/2", self.delta, "pass delta=1e-3")

    def tiny(self) -> "ClusteringRates":
        return replace(self, betas=some_of(self.betas, (1.0, 5.0)), realizations=8)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        done = Claim.close("runs completed", dataset.completed.min(), 1, 0, "no failure")
        each = [self._claims_at(dataset.sel(beta=beta), beta) for beta in self.betas]
        return [done, *(claim for claims in each for claim in claims)]

    def _claims_at(self, at: xr.Dataset, beta: float) -> list[Claim]:
        time = float(at.theory)
        lag, h = at.layers_time / time, self.step
        # Weights and projections differ from those at one point by angle^2 (1 + beta), in each cloud.
        off = 2 * self.d * self.spread**2 * (1 + beta)
        rates = {
            "softmax": 2.0, "unnormalized": 2 * np.exp(beta), "layers": 2 * np.log1p(h) / h
        }  # fmt: skip
        return [
            Claim.close(
                f"beta={beta:g}: orthonormal tokens meet", at.flow_time, time, 1e-4 * time,
                f"{PAPER}, Theorem 6.8, by quadrature",
            ),
            Claim.at_least(
                f"beta={beta:g}: layers / flow", lag, h / np.log1p(h), f"{PAPER}, x <- N(x + h f)"
            ),
            Claim.at_most(
                f"beta={beta:g}: layers / flow <= 1 + h", lag, 1 + h, "slowest while orthonormal", h**2
            ),
            *(
                Claim.close(
                    f"beta={beta:g}: {name} rate, over theory, the farthest of all clouds from 1",
                    _farthest(at[name].values / rate), 1, off, f"{PAPER}, section 6",
                )
                for name, rate in rates.items()
            ),
        ]  # fmt: skip

    def _theory(self, beta: Scalar) -> Scalar:
        return Equiangular(Softmax(beta), self.n).hitting_time(self.delta)

    def _layers(self) -> int:
        """Layers enough for the slowest beta."""
        slowest = float(self._theory(jnp.asarray(max(self.betas))))
        return int((1 + 2 * self.step) * slowest / self.step) + 1


def _farthest(ratio: np.ndarray) -> float:
    """The ratio that is farthest from 1."""
    return float(ratio.flat[np.argmax(np.abs(ratio - 1))])


def _first(x: Points) -> Scalar:
    return x[0] @ x[1]


@partial(jax.jit, static_argnums=(0, 3))
def _meet(study: ClusteringRates, beta, expected, layers_enough: int):
    """The meeting times of orthonormal tokens under the flow and under layers."""
    n, level, observe = study.n, 1 - study.delta, {"product": _first}
    ts = jnp.concatenate([jnp.zeros(1), expected + WINDOW.astype(expected.dtype)])
    flow = AttentionFlow(Sphere(n), Softmax(beta))
    path = simulate(flow, jnp.eye(n), ts, observe=observe, tol=study.tol, throw=False)
    layers = TransformerLayers(n, Softmax(beta), PostNorm(), study.step)
    steps = rollout(layers, jnp.eye(n), layers_enough, observe=observe, throw=False)
    times = study.step * steps.ts
    return (
        hitting_time(path.ts, path.values["product"], level),
        hitting_time(times, steps.values["product"], level),
        path.ok & steps.ok,
    )


@partial(jax.jit, static_argnums=0)
def _contract(study: ClusteringRates, beta, clouds):
    """-d/dt log of the mean of 1 - <x_i, x_j>, at each of the clouds."""

    def log_gap(x: Points) -> Scalar:
        # sum_ij |x_i - x_j|^2 / 2 = n sum_i |x_i - mean|^2 keeps its digits where tokens are close
        return jnp.log(jnp.sum((x - x.mean(axis=0)) ** 2))

    def of_flow(attention, x: Points) -> Scalar:
        flow = AttentionFlow(Sphere(study.d), attention)
        return -jax.jvp(log_gap, (x,), (flow.drift(jnp.zeros(()), x, None),))[1]

    def of_layers(x: Points) -> Scalar:
        layers = TransformerLayers(study.d, Softmax(beta), PostNorm(), study.step)
        return (log_gap(x) - log_gap(layers.step(x, None)[0])) / study.step

    return {
        "softmax": jax.vmap(partial(of_flow, Softmax(beta)))(clouds),
        "unnormalized": jax.vmap(partial(of_flow, Unnormalized(beta)))(clouds),
        "layers": jax.vmap(of_layers)(clouds),
    }
