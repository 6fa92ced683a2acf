from typing import Any

import diffrax
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._typing import Scalar

ROOM = 64
"""Roundings that a stretch may exceed a whole number of steps by without one more of them."""


class _Stretch(eqx.Module):
    """What lies between two stops: `count` even steps from `start` to `end`, `done` of them taken."""

    start: Scalar
    end: Scalar
    count: Int[Array, ""]
    done: Int[Array, ""]
    jumps: Bool[Array, ""]
    """Whether the drift jumps at the end, which then is the last number before that time."""

    def time(self, done: Int[Array, ""]) -> Scalar:
        """The end of the step with this number."""
        share = done.astype(self.start.dtype) / self.count.astype(self.start.dtype)
        between = self.start + (self.end - self.start) * share
        return jnp.where(done < self.count, between, self.end)


class EvenSteps(diffrax.AbstractStepSizeController):
    """Steps of at most dt0 that land on every stop and jump: even ones from each to the next.

    A drift that jumps inside a step would leave an error of first order in the step, whatever the
    method; and noise that is interpolated between the ends of a step is too small.
    """

    stops: Float[Array, " stops"] | None
    jumps: Float[Array, " jumps"] | None

    def wrap(self, direction):
        return self  # times increase

    def init(self, terms, t0: Any, t1: Any, y0, dt0, args, func, error_order):
        known = [part for part in (self.stops, self.jumps) if part is not None]
        marks = jnp.sort(jnp.concatenate([*known, t1[None]]))
        stretch = self._stretch(t0, t1, dt0, marks)
        return stretch.time(stretch.done + 1), (stretch, marks, t1, dt0)

    def _stretch(self, start: Scalar, t1: Scalar, dt: Scalar, marks: Array) -> _Stretch:
        """From `start` to the next mark, unless that is less than rounding away."""
        rounding = 4 * jnp.finfo(start.dtype).eps * jnp.maximum(jnp.abs(start), jnp.abs(t1))
        mark = marks[jnp.searchsorted(marks, start + rounding, side="right")]
        mark = jnp.minimum(jnp.where(mark > start, mark, t1), t1)
        jumps = jnp.array(False) if self.jumps is None else (self.jumps == mark).any() & (mark < t1)
        end = jnp.where(jumps, eqxi.prevbefore(mark), mark)
        room = ROOM * jnp.finfo(start.dtype).eps * jnp.maximum(jnp.abs(start), jnp.abs(end)) / dt
        count = jnp.ceil((end - start) / dt - room)
        count = jnp.clip(count, 1, 2.0**30).astype(jnp.int32)
        return _Stretch(start, end, count, jnp.zeros((), jnp.int32), jumps)

    def adapt_step_size(self, t0, t1, y0, y1_candidate, args, y_error, error_order, state):
        stretch, marks, last, dt = state
        done = stretch.done + 1
        over = done >= stretch.count
        jumped = over & stretch.jumps
        begin = jnp.where(jumped, eqxi.nextafter(eqxi.nextafter(stretch.end)), t1)
        following = self._stretch(begin, last, dt, marks)
        same = _Stretch(stretch.start, stretch.end, stretch.count, done, stretch.jumps)
        stretch = jax.tree.map(lambda a, b: jnp.where(over, a, b), following, same)
        end = stretch.time(stretch.done + 1)
        state = (stretch, marks, last, dt)
        return True, begin, end, jumped, state, diffrax.RESULTS.successful
