import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_integer, check_positive
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Key, Scalar
from ._game import AbstractGame
from ._nash import Equilibrium, nash, start

_SAME = 1e-4
"""The share of their size by which controls of one equilibrium differ from search to search, at least."""


class Equilibria(AbstractShown):
    """The equilibria that searches from several starts have found.

    `each`: a tuple of `Equilibrium`, no two alike, by the sum of their costs; `counts`: how many searches
    ended at each; `failed`: how many did not converge. Equilibria that others can be turned into, as on a
    sphere, count as different.
    """

    each: tuple[Equilibrium, ...]
    counts: tuple[int, ...]
    failed: int


@door
def equilibria(
    game: AbstractGame,
    x0: Float[Array, "..."],
    ts: Float[Array, " times"] | None = None,
    *,
    key: Key,
    starts: int = 8,
    size: Scalar | float = 1.0,
    averaged: bool = False,
    rounds: int = 64,
    max_steps: int = 512,
) -> Equilibria:
    """The Nash equilibria that `nash` finds from no control and from random ones.

    Stable ones, of which `stability` is below 1, are what best responses lead to; of others at most those
    at which a search begins are found. That all were found no search can say.

    - `key`: of the random controls, whose entries are normal, of standard deviation `size`.
    - `starts`: searches, one of them from no control. Other arguments as in `nash`.

    Raises ValueError under jit, and as `nash` does.
    """
    starts, blank = check_integer(starts, "starts"), start(game, x0, ts, None)
    spread = check_positive(size, "size").astype(blank.dtype)
    guesses = [blank]
    for one in jax.random.split(key, starts)[1:]:
        guesses.append(spread * jax.random.normal(one, blank.shape, blank.dtype))
    found: list[Equilibrium] = []
    counts: list[int] = []
    for guess in guesses:
        one = nash(game, x0, ts, guess=guess, averaged=averaged, rounds=rounds, max_steps=max_steps)
        if not one.converged:
            continue
        same = [k for k, other in enumerate(found) if _alike(one, other)]
        if same:
            counts[same[0]] += 1
        else:
            found.append(one)
            counts.append(1)
    order = sorted(range(len(found)), key=lambda k: float(found[k].costs.sum()))
    each, many = tuple(found[k] for k in order), tuple(counts[k] for k in order)
    return Equilibria(each, many, starts - sum(counts))


def _alike(one: Equilibrium, other: Equilibrium) -> bool:
    scale = max(float(jnp.abs(e.controls).max()) for e in (one, other))
    # Where nobody does anything the costs say how large controls are.
    scale = max(scale, float(jnp.abs(one.costs).max()) ** 0.5)
    # A search leaves eps^(3/4) of a cost that is flat to second order.
    same = max(_SAME, float(jnp.finfo(one.controls.dtype).eps) ** 0.375)
    return float(jnp.abs(one.controls - other.controls).max()) <= same * scale
