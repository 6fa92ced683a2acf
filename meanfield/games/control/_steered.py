import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..._checks import guard
from ..._products import exact_products
from ..._typing import Scalar
from ...dynamics import AbstractDynamics, AbstractParticles
from ...solve.methods import LOOPED, one_step, stable
from ._discords import AbstractDiscord
from ._interests import Interest, interest
from ._numbers import with_numbers


class AbstractInIntervals(AbstractDynamics):
    """What is steered by controls that bend at given times; it counts the times that have passed."""

    if TYPE_CHECKING:  # a type checker would take abstract variables for arguments of __init__

        @property
        def ts(self) -> Float[Array, " times"]: ...

    else:
        ts: eqx.AbstractVar[Float[Array, " times"]]

    def drift(self, t: Scalar, state: tuple, args: Any) -> tuple:
        k = jnp.clip(jnp.floor(t).astype(int), 0, len(self.ts) - 2)
        return self.within(k, t - k.astype(t.dtype), state)[: len(state)]

    @abc.abstractmethod
    def within(self, k: Int[Array, ""], share: Scalar, state: tuple) -> tuple:
        """The drift when this share of interval k has passed."""

    def time(self, k: Int[Array, ""], share: Scalar) -> tuple[Scalar, Scalar]:
        """The time then, always between the ends, where a flow may jump; and the length of the interval."""
        begin, end = self.ts[k], self.ts[k + 1]
        length = end - begin
        within = jnp.clip(begin + share * length, eqxi.nextafter(begin), eqxi.prevbefore(end))
        return within, length


class Steered(AbstractInIntervals):
    """The clouds of a game under given controls, and what each model has spent until now.

    Its time counts the times that have passed, so that all intervals have as many steps.
    """

    flows: tuple[AbstractParticles, ...]
    running: Scalar
    discord: AbstractDiscord
    interests: tuple[Interest, ...]
    effort: Float[Array, " models"]
    where: tuple[Callable, ...] | None
    ts: Float[Array, " times"]
    controls: Float[Array, "models times ..."]

    def within(self, k: Int[Array, ""], share: Scalar, state: tuple) -> tuple:
        """The drift when this share of interval k has passed."""
        x, geometry = state[0], self.flows[0].geometry
        (now, length), shape = self.time(k, share), x.shape
        u = (1 - share) * self.controls[:, k] + share * self.controls[:, k + 1]

        flows, known = self.flows, [()] * len(u)
        if self.where is not None:
            flows = (*map(with_numbers, self.flows, self.where, u),)
            known = [(flow,) for flow in flows]

        def field(points):
            clouds = points.reshape(shape)
            pairs = zip(flows, clouds, strict=True)
            own = jnp.stack([flow.drift(now, cloud, None) for flow, cloud in pairs])
            own = own + u if self.where is None else own
            return length * own.reshape(-1, shape[-1])

        moved = geometry.extend(field, x.reshape(-1, shape[-1])).reshape(shape)
        at, square = geometry.project(x), jnp.sum(u**2, axis=-1)
        effort = square.mean(axis=-1) if self.where is None else square
        wanted = zip(self.interests, at, known, strict=True)
        own = jnp.stack([interest(one, geometry, cloud, *more) for one, cloud, more in wanted])
        shared = self.running.astype(x.dtype) * self.discord(geometry, at)
        return moved, length * ((self.effort.astype(x.dtype) * effort + shared) / 2 + own)

    def check(self, state: Any) -> Any:
        return state


def check_jumps(flow: AbstractDynamics, ts: Float[Array, " times"]) -> None:
    """ValueError if a flow jumps between these times: a step across would err by its length."""
    jumps = flow.jumps()
    if jumps is None:
        return
    jumps = jumps.astype(ts.dtype)
    met = (jumps[:, None] == ts).any(axis=1) | (jumps < ts[0]) | (jumps > ts[-1])
    guard(
        ts,
        met.all(),
        "expected no jump of a flow between two of the times ts; add its times to ts.",
    )


@exact_products
def played(steered: AbstractInIntervals, start: tuple, steps: int) -> tuple[tuple, Array, Array]:
    """The state at the last time, the first of its parts at all times, and whether the steps, so many
    an interval, are fit for it."""
    ts = steered.ts
    dtype, count = ts.dtype, steps * (len(ts) - 1)
    within = eqx.filter_jit(steered.within)

    def step(state, number):
        k, passed = number // steps, (number % steps).astype(dtype)
        field = lambda c, state: within(k, (passed + c) / steps, state)
        after = one_step(field, state, 1 / steps)
        return after, after[0]

    state, path = jax.lax.scan(jax.checkpoint(step), start, jnp.arange(count))
    dt = jnp.asarray(1 / steps, dtype)
    # Of the clouds alone: what was spent grows as their square, and moves nothing.
    ok = stable(steered, LOOPED, len(ts) - 1 - dt / 2, dt, state[:1], None)
    scale = [jnp.isfinite(leaf**2).all() for leaf in state]
    path = jnp.concatenate([start[0][None], path[steps - 1 :: steps]])
    return state, path, ok & jnp.stack(scale).all()
