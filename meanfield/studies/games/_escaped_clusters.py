from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Coefficients, Scalar
from ...attention.kernels import Unnormalized
from ...dynamics.densities import FokkerPlanck
from ...games.control import steer
from ...harmonics import Gegenbauer
from ...solve import simulate
from ..machinery import Claim, Study, check_that, grid, some_of

PAPER = "Isobe, Inoue, Imaizumi, arXiv 2605.07772"


class FeedForward(eqx.Module):
    """A layer that is linear in its weights: the potential -sum_k a_k cos kt of the angle t to e_1."""

    weights: Float[Array, " degrees"]

    def __call__(self, x: Float[Array, " d"]) -> Scalar:
        waves = [jnp.ones_like(x[0]), x[0]]
        for _ in range(len(self.weights) - 1):
            waves.append(2 * x[0] * waves[-1] - waves[-2])
        return -self.weights @ jnp.stack(waves[1:])


@dataclass(frozen=True, kw_only=True)
class EscapedClusters(Study):
    """Attention gathers a law, and a feed-forward layer that is trained lets it leave in the last layers.

        m_t = noise Lap m - div(m (attention[m] + grad U_t)),    U_t linear in its weights u(t)
        cost = int (effort/2) |u|^2 dt + (1/2) sum_{k <= degree} |int e^{ikt} dm|^2 at the end

    on the circle, for infinitely many tokens with noise: the end is to be spread, and weights of layers are
    penalized by their squares. `order` is the length of the mean over depth, `idle` that without training,
    `spent` the square of the weights; `residual` says how far u is from the maximum principle.

    Two trainings come to rest. That which begins at no weights ends, where weights are dear, with a law
    that follows attention to its cluster, stays there for most of the depth, without weights, and leaves in
    the last layers. That which begins at the weights found where they are cheap keeps the law from
    gathering, from the first layer on. Where weights are dear the escape costs less than never to gather;
    where they are cheap there is none.

    Over (begin, effort, depth), with begin `nothing` or `cheap weights`; `density` over `angle`.

    Source: after Isobe, Inoue, Imaizumi, arXiv 2605.07772.
    """

    efforts: tuple[float, ...] = (0.3, 2.0, 3.0)
    """Penalties on the squares of the weights."""
    cheap: float = 0.3
    """The penalty at which weights are cheap: those found there are where the other training begins."""
    beta: float = 1.0
    """Inverse temperature."""
    noise: float = 0.3
    """Strength of the noise."""
    concentration: float = 2.5
    """Of the first law, e^{concentration cos t}."""
    degree: int = 2
    """Of the feed-forward layer, and of what is to be spread."""
    t_end: float = 8.0
    """Depth."""
    frames: int = field(default=33, metadata={"least": 9})
    """Depths at which weights bend."""
    harmonics: int = field(default=12, metadata={"least": 6})
    """Of the law."""

    QUANTITIES: ClassVar = {
        "order": "length of the mean token",
        "idle": "length of the mean token, without training",
        "spent": "square of the weights",
        "density": "density, relative to the uniform one",
        "cost": "penalty and distance of the end from spread",
        "loss": "distance of the end from spread",
        "untrained": "distance of the end from spread, without training",
        "residual": "how far from the maximum principle",
        "converged": "whether training came to rest",
        "begin": "where training begins",
        "effort": "penalty on squared weights",
        "depth": "depth",
        "angle": "angle of a token [rad]",
    }

    def check(self) -> None:
        fits = self.degree <= self.harmonics // 2
        check_that(fits, "degree <= harmonics/2", self.degree, "raise harmonics")

    def cells(self) -> list[dict[str, Any]]:
        return grid(effort=self.efforts)

    def tiny(self) -> "EscapedClusters":
        return replace(self, efforts=some_of(self.efforts, (0.3, 2.0)), frames=17, harmonics=10)

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        flow, start = self._started()
        ts, angle = jnp.linspace(0.0, self.t_end, self.frames), np.linspace(-np.pi, np.pi, 73)
        # Explicit steps of order five bear rates of 3; what is fast only follows.
        rate = self.noise * self.harmonics**2 * self.t_end / (self.frames - 1)
        steps = max(int(np.ceil(rate / 1.5)), 2)

        def trained(effort: float, guess=None):
            end = Spread(self.degree)
            return steer(flow, _weights, end, start, ts, effort=effort, guess=guess, steps=steps)

        cheap, effort = trained(self.cheap).controls, cell["effort"]
        found = {"nothing": trained(effort), "cheap weights": trained(effort, cheap)}
        still = simulate(flow, start, ts, observe={"order": _order}, tol=1e-8)
        each = lambda name: np.array([float(getattr(one, name)) for one in found.values()])
        laws = np.stack([np.asarray(one.x) for one in found.values()])
        weights = np.stack([np.asarray(one.controls) for one in found.values()])
        waves = [flow.basis.evaluate(one, jnp.cos(angle)) for one in jnp.eye(laws.shape[-1])]
        return xr.Dataset(
            {
                "order": (("begin", "depth"), np.abs(laws[..., 1]) / 2**0.5),
                "idle": ("depth", np.asarray(still.values["order"])),
                "spent": (("begin", "depth"), np.sum(weights**2, axis=-1)),
                "density": (("begin", "depth", "angle"), laws @ np.asarray(waves)),
                "cost": ("begin", each("cost")),
                "loss": ("begin", each("cost") - each("effort")),
                "untrained": ((), float(found["nothing"].idle)),
                "residual": ("begin", each("residual")),
                "converged": ("begin", each("converged")),
            },
            {"begin": list(found), "depth": np.asarray(ts), "angle": angle},
        )

    def _started(self) -> tuple[FokkerPlanck, Coefficients]:
        """The flow without weights, and the first law."""
        made: Any = FokkerPlanck
        basis: Any = Gegenbauer(2, self.harmonics)  # pyright: ignore[reportCallIssue]
        attention = Unnormalized(self.beta)  # pyright: ignore[reportCallIssue]
        start = basis.analyze(jnp.exp(self.concentration * basis.nodes))
        layer = FeedForward(jnp.zeros(self.degree))
        return made(basis, attention, self.noise, layer), start / start[0]

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        return [claim for effort in self.efforts for claim in self._claims(dataset, effort)]

    def _claims(self, dataset: xr.Dataset, effort: float) -> list[Claim]:
        one, where = dataset.sel(effort=effort), f"effort {effort:g}"
        # Kinks leave h^2 u''/(12 sqrt 5) of u, whose rates are those of tokens, about 4.
        kinks = 16 * (self.t_end / (self.frames - 1)) ** 2 / 26
        title = f"{where}: off the maximum principle"
        best = Claim.at_most(title, one.residual.max(), 0, "Pontryagin et al. (1962)", kinks)
        rest = Claim.holds(f"{where}: training came to rest", one.converged.min() == 1, "L-BFGS")
        title = f"{where}: distance from spread over that without training"
        nearer = Claim.at_most(title, (one.loss / one.untrained).max(), 1, PAPER)
        from_nothing = one.sel(begin="nothing")
        if effort <= self.cheap:
            order = from_nothing.order / from_nothing.order.isel(depth=0)
            title = f"{where}: order at its largest over that at the start"
            gathered = order.max(skipna=False)
            return [rest, best, nearer, Claim.at_most(title, gathered, 1, "cheap weights", 1e-9)]
        return [rest, best, nearer, *_escapes(from_nothing, where), _cheaper(one, where)]


def _escapes(one: xr.Dataset, where: str) -> list[Claim]:
    """The law follows attention through the first half, and leaves behind it."""
    half = one.depth.size // 2
    apart = np.abs(one.order - one.idle).isel(depth=slice(0, half + 1)).max(skipna=False)
    share = one.order.isel(depth=-1) / one.order.max(skipna=False)
    late = one.spent.isel(depth=slice(half, None)).sum(skipna=False) / one.spent.sum(skipna=False)
    title = f"{where}: order in the first half, off that of attention alone"
    return [
        Claim.at_most(title, apart, 0, PAPER, 0.02),
        Claim.at_most(f"{where}: order at the end over its largest", share, 0.9, PAPER),
        Claim.at_least(f"{where}: share of the weights in the second half", late, 0.95, PAPER),
    ]


def _cheaper(one: xr.Dataset, where: str) -> Claim:
    ratio = one.cost.sel(begin="nothing") / one.cost.sel(begin="cheap weights")
    title = f"{where}: cost of the escape over that of never gathering"
    return Claim.at_most(title, ratio, 1, "two minima, by L-BFGS")


def _order(law: Coefficients) -> Scalar:
    """The length of the mean; of unit length the k-th harmonic is sqrt 2 cos kt."""
    return jnp.abs(law[1]) / 2**0.5


def _weights(flow):
    return flow.potential.weights


class Spread(eqx.Module):
    """(1/2) sum_k |int e^{ikt} dm|^2, 0 of the uniform law."""

    degree: int = eqx.field(static=True)

    def __call__(self, law: Coefficients) -> Scalar:
        return jnp.sum(law[1 : self.degree + 1] ** 2) / 4
