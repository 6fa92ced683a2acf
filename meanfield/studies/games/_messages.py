"""Layers in which models follow messages: pulls or targets that are held, and late."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..._typing import Scalar
from ...dynamics.consensus import ConsensusFlow, ExactPull
from ...dynamics.particles import Drift
from ...geometry import Euclidean, Sphere
from ...measures import Uniform

MEMORY = 32
"""Layers of the past that are kept: messages are later by less."""
TOKENS, NEAR = 8, 1e-4
"""Of a model; and how far apart copies of a token on the sphere are."""
FAINT = 1e-8
"""The share of deviations at the start that is still told from rounding."""


@eqx.filter_jit
def layers_of(
    flow: ConsensusFlow,
    x0: Float[Array, "models n d"],
    strength: Scalar,
    period: Int[Array, ""],
    delay: Int[Array, ""],
    own: Bool[Array, ""],
    count: int,
) -> Float[Array, "layers models n d"]:
    """The clouds after 0, 1, ..., `count` layers, each of which closes a share `strength` of what is left.

    Each `period` layers a message comes that left `delay` layers before: the way of each token to the
    barycenter, `flow.control` of strength 1. It is followed as it is or, with `own`, as the place to
    which it led, seen from where the token is now. Before the first message nobody moves.
    """
    space = flow.geometry
    zero = jnp.zeros((), x0.dtype)
    still = jnp.zeros((MEMORY, *x0.shape), x0.dtype)

    def layer(carry, k):
        x, ways, places, way, place = carry
        new = flow.control(zero, x)
        ways = jnp.roll(ways, 1, axis=0).at[0].set(new)
        places = jnp.roll(places, 1, axis=0).at[0].set(space.exp(x, new))
        comes = k % period == 0
        way = jnp.where(comes, ways[delay], way)
        place = jnp.where(comes, places[delay], place)
        step = jnp.where(own, space.log(x, place), space.to_tangent(x, way))
        y = space.exp(x, strength * step)
        return (y, ways, places, way, place), y

    start = x0, still, still + x0, jnp.zeros_like(x0), x0
    path = jax.lax.scan(layer, start, jnp.arange(count))[1]
    return jnp.concatenate([x0[None], path])


def apart(path: Float[Array, "layers models n d"]) -> np.ndarray:
    """Deviations from the mean of all, along those at the start: 1 at first."""
    away = np.asarray(path - path.mean(axis=1, keepdims=True)).reshape(len(path), -1)
    return away @ away[0] / (away[0] @ away[0])


def growth(series: np.ndarray) -> float:
    """The factor per layer at which a series grows in the end: of its last mode, or last two."""
    size = np.maximum(np.abs(series[1:-1]), np.abs(series[:-2]))
    # Below, rounding of clouds of size 1 shows; the first layers have other modes.
    clear = np.flatnonzero(size < FAINT)
    end = clear[0] if clear.size else len(size)
    begin = max(end - 80, end // 3)
    # Each equation in units of its own size, as the series may grow or fade.
    one = (np.stack([series[1:-1], series[:-2]]) / size)[:, begin:end]
    (s, p), *_ = np.linalg.lstsq(one.T, (series[2:] / size)[begin:end], rcond=1e-6)
    return float(np.abs(np.roots([1, -s, -p])).max())


def follow(name: str, n: int, seed: int) -> tuple[ConsensusFlow, Any]:
    """Models that only follow, and where their tokens start."""
    order = jnp.arange(1.0 * n)[:, None, None]
    if name == "line":
        space, shape = Euclidean(1), jnp.linspace(-1.0, 1.0, TOKENS)[None, :, None]
        # Shifted, and a little wider each: what overshoots stays in order.
        x0 = (1 + 0.05 * order) * shape + 0.3 * order
    else:
        space, law = Sphere(3), Uniform(3)  # pyright: ignore[reportCallIssue]
        first, *keys = jax.random.split(jax.random.key(seed), n + 1)
        text = law.sample(first, TOKENS)
        push = [space.to_tangent(text, jax.random.normal(key, text.shape)) for key in keys]
        x0 = jnp.stack([space.exp(text, NEAR * one) for one in push])
    still: Any = [Drift(space, jnp.zeros_like)] * n
    return ConsensusFlow(still, 1.0, pull=ExactPull()), x0


def held_cost(gain: float, span: float) -> float:
    """Of a deviation of 1, with controls held for a time `span`; infinite if they do not end it."""
    left = 1 - gain * span
    once = span * (gain**2 + 1 - gain * span + (gain * span) ** 2 / 3) / 2
    return once / (1 - left**2) if abs(left) < 1 else np.inf


def known_gain(gain: float, span: float) -> float:
    """The best gain of players who know that their controls will be held for a time `span`."""
    z = gain * span
    return z / (z / 2 + np.sqrt(1 + z**2 / 12)) / span
