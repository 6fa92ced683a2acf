from dataclasses import dataclass, field, replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Points, Scalar
from ...attention.kernels import L2, MultiHead, Sinkhorn, Softmax
from ...dynamics.particles import AttentionFlow, Drift
from ...dynamics.reductions import GaussianFlow, Normal
from ...geometry import Euclidean
from ...measures import Gaussian
from ...solve import simulate
from ...transport.exact import gaussian_wasserstein
from ..machinery import Claim, Study, check_that, order_of, program_of_runs, some_of

SOURCE = "Castin, Ablin, Carrillo, Peyre, arXiv 2501.18322; the central limit theorem"
STEP = 0.1
"""Steps of the method of order 5: what they err by is far below the fluctuations of a cloud."""
DECAY = 0.5
"""Rate of the linear drift -x/2 toward 0."""


@dataclass(frozen=True, kw_only=True)
class GaussianClosures(Study):
    """Clouds in R^3 against the closed equations of their mean and covariance: distance n^(-1/2).

    Tokens are drawn from a normal law and move by attention, with matrices that do not commute, and by
    the drift -x/2; `GaussianFlow` gives the law of infinitely many. Over (attention, n), `distance` is
    the root mean square over independent clouds of W2 between N(m, S) with the cloud's moments and that
    law at `t_end`, `distance_error` its standard error; `sampling` is the same for n independent draws of
    that law: what no closure can undercut, and `sampling_error` the share of it by which as many draws
    as there are clouds err. `order` is the fitted power of n.

    Source: Castin, Ablin, Carrillo, Peyre, arXiv 2501.18322; their Sinkhorn closure holds with the
    factors in the order that `GaussianFlow` gives.
    """

    attentions: tuple[str, ...] = ("softmax", "L2", "Sinkhorn", "heads")
    """Kinds of attention; heads are one of softmax and one of L2."""
    sizes: tuple[int, ...] = field(default=(62, 250, 1000, 4000), metadata={"count": 2})
    """Numbers of tokens."""
    tokens: int = 16000
    """Tokens in all clouds of one size together."""
    t_end: float = 1.0
    """Final time."""

    GRID: ClassVar = {"attention": "attentions", "n": "sizes"}
    QUANTITIES: ClassVar = {
        "distance": "W2 from the closed equations",
        "sampling": "W2 of independent draws",
        "sampling_error": "standard error of it, as a share",
        "order": "fitted power of n",
    }

    def compute(self, cell: dict) -> xr.Dataset:
        attention, n = _attention(cell["attention"]), cell["n"]
        first, second = jax.random.split(self.key(cell))
        start, ts = _start(), jnp.asarray([0.0, self.t_end])
        flow = GaussianFlow(attention, linear=-DECAY * jnp.eye(3))
        limit: Normal = simulate(flow, start, ts, tol=1e-9).final
        keys = jax.random.split(first, self.tokens // n)
        square = _clouds(attention, Gaussian(*start), limit, keys, n, ts)
        free = _draws(Gaussian(*limit), limit, jax.random.split(second, max(len(keys), 64)), n)
        distance = np.sqrt(np.mean(square))
        spread = np.std(free, ddof=1) / (2 * np.mean(free))
        values = {
            "distance": distance,
            "distance_error": np.std(square, ddof=1) / (2 * distance * np.sqrt(len(keys))),
            "sampling": np.sqrt(np.mean(free)),
            "sampling_error": spread / np.sqrt(len(keys)),
        }
        return xr.Dataset({k: ((), v) for k, v in values.items()})

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = super().assemble(parts)
        return whole.assign(order_of(whole.n, whole.distance, "n"))

    def check(self) -> None:
        check_that(self.tokens >= 2 * max(self.sizes), "tokens for two clouds of each size",
                   self.tokens, "pass twice the largest of sizes")  # fmt: skip

    def tiny(self) -> "GaussianClosures":
        few = {"sizes": (32, 128), "tokens": 4096, "t_end": 0.5}
        return replace(self, attentions=some_of(self.attentions, ("heads",)), **few)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for name in self.attentions:
            one = dataset.sel(attention=name)
            # How much clouds vary is told by independent draws, and not by the clouds themselves.
            by_draws = order_of(one.n, one.distance, "n", one.distance * one.sampling_error)
            error = float(by_draws.order_error)
            last = one.isel(n=-1)
            made += [
                *Claim.telling(
                    f"{name}: power of n (se {error:.3f})", one.order, -0.5, 0.03 + 3 * error, SOURCE
                ),
                # The flow may carry fluctuations of the start to larger ones, of the same order.
                Claim.at_most(
                    f"{name}: distance at n = {int(last.n)} over that of independent draws",
                    last.distance / last.sampling, 2, SOURCE,
                ),
            ]  # fmt: skip
        return made


def _attention(name: str) -> Softmax | L2 | Sinkhorn | MultiHead:
    """Attention with logits of order one at the start, and matrices that do not commute."""
    rng = np.random.default_rng(0)
    query, key, value = (jnp.asarray(m) for m in rng.normal(size=(3, 3, 3)) / 2)
    return {
        "softmax": Softmax(0.5, query, key, value),
        "L2": L2(1.0, query, key, value),
        "Sinkhorn": Sinkhorn(1.0, query, key, value, tol=1e-8),
        "heads": MultiHead([Softmax(0.5, query, key, value), L2(1.0, key, value, query)]),
    }[name]


def _start() -> Normal:
    root = np.random.default_rng(1).normal(size=(3, 3)) / 2
    return jnp.asarray([0.5, 0.0, -0.5]), jnp.asarray(root @ root.T + 0.3 * np.eye(3))


@program_of_runs
def _clouds(attention, law: Gaussian, limit: Normal, keys: Array, n: int, ts: Float[Array, " T"]):
    """The squared distances of independent clouds of n tokens from the limit at the end."""
    geometry = Euclidean(law.d)
    flow = AttentionFlow(geometry, attention) + Drift(geometry, _decay)

    def one(key):
        run = simulate(flow, law.sample(key, n), ts, dt=STEP, throw=False)
        return _square_distance(run.final, limit), run.ok

    return jax.lax.map(one, keys)


@eqx.filter_jit
def _draws(law: Gaussian, limit: Normal, keys: Array, n: int):
    return jax.lax.map(lambda key: _square_distance(law.sample(key, n), limit), keys)


def _decay(x: Float[Array, " d"]) -> Float[Array, " d"]:
    return -DECAY * x


def _square_distance(x: Points, law: Normal) -> Scalar:
    mean = x.mean(axis=0)
    centred = x - mean
    return gaussian_wasserstein(mean, centred.T @ centred / len(x), *law) ** 2
