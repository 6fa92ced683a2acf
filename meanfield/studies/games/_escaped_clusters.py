from dataclasses import dataclass, replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Complex, Float

from ..._typing import Points, Scalar
from ...attention.kernels import Unnormalized
from ...dynamics.particles import AttentionFlow, Drift
from ...games.control import steer
from ...geometry import Sphere
from ...observables import mean_resultant
from ...solve import simulate
from ..machinery import Claim, Study, check_that, some_of

CIRCLE = Sphere(2)


class FeedForward(eqx.Module):
    """A layer that is linear in its weights: the gradient of a potential sum_k a_k cos k t + b_k sin k t."""

    weights: Float[Array, "degrees 2"]

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, " d"]:
        z = _powers(x, len(self.weights))
        k = jnp.arange(1, len(self.weights) + 1, dtype=x.dtype)
        slope = k @ (self.weights[:, 1] * z.real - self.weights[:, 0] * z.imag)
        return slope * jnp.stack([-x[1], x[0]])


@dataclass(frozen=True, kw_only=True)
class EscapedClusters(Study):
    """Attention gathers tokens, and a feed-forward layer that is trained lets them leave in the last layers.

        x_i' = attention(x)_i + grad U_t(x_i),    U_t linear in its weights u(t)
        cost = int (effort/2) |u|^2 dt + (1/2) sum_{k <= degree} |mean e^{ikt}|^2 at the end

    on the circle: the end is to be spread, and weights of layers are penalized by their squares. `order` is
    the length of the mean over depth, `idle` that without training, `spent` the square of the weights;
    `residual` says how far u is from the maximum principle. Where weights are cheap they keep tokens from
    gathering at all; where they are dear, tokens gather first, as attention has them, and leave in
    the last layers, where the weights are.

    Tokens are few and have no noise, where the source has a law with noise.

    Source: after Isobe, Inoue, Imaizumi, arXiv 2605.07772.
    """

    efforts: tuple[float, ...] = (0.1, 0.3, 0.4)
    """Penalties on the squares of the weights."""
    beta: float = 1.0
    """Inverse temperature."""
    n: int = 16
    """Tokens."""
    degree: int = 2
    """Of the feed-forward layer, and of what is to be spread."""
    t_end: float = 1.5
    """Depth."""
    frames: int = 16
    """Depths at which weights bend."""

    GRID: ClassVar = {"effort": "efforts"}
    QUANTITIES: ClassVar = {
        "order": "length of the mean of all tokens",
        "idle": "length of the mean of all tokens, without training",
        "spent": "square of the weights",
        "loss": "distance of the end from spread",
        "untrained": "distance of the end from spread, without training",
        "residual": "how far from the maximum principle",
        "converged": "whether training came to rest",
        "angle": "angle of a token [rad]",
        "effort": "penalty on squared weights",
        "depth": "depth",
        "token": "token",
    }

    def check(self) -> None:
        check_that(self.frames >= 4, "frames >= 4", self.frames, "pass frames=16")

    def tiny(self) -> "EscapedClusters":
        return replace(self, efforts=some_of(self.efforts, (0.1, 0.3)), frames=9)

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        layer = Drift(CIRCLE, FeedForward(jnp.zeros((self.degree, 2))))
        flow = AttentionFlow(CIRCLE, Unnormalized(self.beta)) + layer
        angles = 1.0 * jax.random.normal(jax.random.key(self.seed), (self.n,))
        x0 = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
        ts = jnp.linspace(0.0, self.t_end, self.frames)
        found = steer(flow, _weights, Spread(self.degree), x0, ts, effort=cell["effort"])
        x = np.asarray(found.x)
        still = simulate(flow, x0, ts, observe={"order": mean_resultant}, tol=1e-8)
        return xr.Dataset(
            {
                "order": ("depth", np.linalg.norm(x.mean(axis=1), axis=1)),
                "idle": ("depth", np.asarray(still.values["order"])),
                "spent": ("depth", np.sum(np.asarray(found.controls) ** 2, axis=(1, 2))),
                "angle": (("depth", "token"), np.unwrap(np.arctan2(x[..., 1], x[..., 0]), axis=0)),
                "loss": ((), float(found.cost - found.effort)),
                "untrained": ((), float(found.idle)),
                "residual": ((), float(found.residual)),
                "converged": ((), float(found.converged)),
            },
            {"depth": np.asarray(ts), "token": np.arange(self.n)},
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims, paper = [], "Isobe, Inoue, Imaizumi, arXiv 2605.07772"
        step = self.t_end / (self.frames - 1)
        for effort in self.efforts:
            one, where = dataset.sel(effort=effort), f"effort {effort:g}"
            claims.append(
                Claim.holds(f"{where}: training came to rest", one.converged == 1, "L-BFGS")
            )
            # Kinks leave h^2 u''/(12 sqrt 5) of u, whose rates are those of tokens, about 4.
            title = f"{where}: off the maximum principle"
            source = "Pontryagin et al. (1962)"
            claims.append(Claim.at_most(title, one.residual, 0, source, 16 * step**2 / 26))
            title = f"{where}: distance from spread over that without training"
            claims.append(Claim.at_most(title, one.loss / one.untrained, 1, paper))
            order = one.order / one.order.isel(depth=0)
            if effort >= 0.3:
                title = f"{where}: order at its largest over that at the start"
                claims.append(Claim.at_least(title, order.max(skipna=False), 1.01, paper))
                title = f"{where}: order at the end over its largest"
                share = order.isel(depth=-1) / order.max(skipna=False)
                claims.append(Claim.at_most(title, share, 0.95, paper))
                title = f"{where}: weights of the last over those of the first layers"
                late, early = one.spent.isel(depth=-1), one.spent.isel(depth=0)
                claims.append(Claim.at_least(title, late / early, 1, paper))
            elif effort <= 0.1:
                title = f"{where}: order at its largest over that at the start"
                claims.append(
                    Claim.at_most(title, order.max(skipna=False), 1, "cheap weights", 1e-9)
                )
        return claims


def _weights(flow):
    return flow.terms[1].function.weights


class Spread(eqx.Module):
    """(1/2) sum_k |mean e^{ikt}|^2, 0 of the uniform law."""

    degree: int = eqx.field(static=True)

    def __call__(self, x: Points) -> Scalar:
        mean = jax.vmap(lambda token: _powers(token, self.degree))(x).mean(axis=0)
        return jnp.sum(mean.real**2 + mean.imag**2) / 2


def _powers(x: Float[Array, " d"], degree: int) -> Complex[Array, " degree"]:
    """e^{ikt}, k = 1 ... degree, of the point at the angle t."""
    return jnp.cumprod(jnp.broadcast_to(jax.lax.complex(x[0], x[1]), degree))
