"""A sum over places, on a processor by several loops that run side by side."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from ..._memory import cores

Step = Callable[..., tuple[Any, Any]]
"""(sums, *integers of a place) -> sums with what is at this place, and all that was in between."""

MOST = 4  # XLA's workers in one program
_FEWEST = 4  # places a loop: fewer are not worth a loop of their own


def loops_at_once() -> int:
    """How many loops are worth their while: one for each core that a device of jax has to itself."""
    if jax.default_backend() != "cpu":
        return 1
    return max(1, min(MOST, cores() // jax.local_device_count()))


def added_up(step: Step, start: Any, places: Int[np.ndarray, "n c"]) -> Any:
    """The sums, from `start` = 0, after `step` at each of the places, in any order.

    XLA runs loops of one program side by side on a processor if they write to no common memory, and
    gives loops in turn the same scratch memory. What a step needs in between is therefore part of
    what a loop carries, and read at the end: each loop has its own.
    """

    def in_turn():
        columns = tuple(jnp.asarray(column, jnp.uint32) for column in places.T)
        return jax.lax.scan(lambda sums, place: (step(sums, *place)[0], None), start, columns)[0]

    def at_once():
        ends = [_loop(step, start, places[first::loops]) for first in range(loops)]
        return jax.tree.map(lambda *shares: sum(shares), *map(_released, ends))

    loops = min(loops_at_once(), len(places) // _FEWEST)
    if loops <= 1:
        return in_turn()
    return jax.lax.platform_dependent(cpu=at_once, default=in_turn)


def _loop(step: Step, start: Any, places: Int[np.ndarray, "n c"]) -> Any:
    """The last (going on?, turn, place, scratch, sums).

    XLA reckons what is cheap anew wherever it is read, into memory that it shares, and copies what it
    cannot tell to be read before it is written. A division is not cheap, and the next turn needs the
    place of this one.
    """
    width = places.shape[1]
    tripled, three = jnp.asarray(3 * places, jnp.uint32), jnp.full((1, 1), 3, jnp.uint32)
    end, zero = jnp.uint32(len(places)), jnp.zeros((1, 1), jnp.uint32)

    def turn_of(state):
        _, turn, _, _, sums = state
        at = [(turn[0, 0], jnp.uint32(c)) for c in range(width)]
        place = [jax.lax.dynamic_slice(tripled, where, (1, 1)) // three for where in at]
        none = sum(p >> 31 for p in place)
        turn = (three * (turn + 1) + none) // three
        sums, scratch = step(sums, *(p[0, 0] for p in place))
        return turn[0, 0] < end, turn, place, scratch, sums

    _, scratch = jax.eval_shape(step, start, *[end] * width)
    nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), scratch)
    first = jnp.bool_(True), zero, [zero] * width, nothing, start
    return jax.lax.while_loop(lambda state: state[0], turn_of, first)


def _released(end: Any) -> Any:
    """The sums of a loop that has ended. As if it might not have, its scratch memory is read."""
    going_on, *scratch, sums = end
    one = sum(a[(0,) * a.ndim].astype(jnp.float32) for a in jax.tree.leaves(scratch))
    return jax.tree.map(lambda a: jnp.where(going_on, jnp.asarray(one, a.dtype), a), sums)
