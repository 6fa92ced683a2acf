import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ._game import AbstractGame
from ._nash import nash, planner
from ._stackelberg import stackelberg


class Prices(AbstractShown):
    """What it costs that players play for themselves, what it is worth to move first, and who pays.

    `costs` [N]: of each in Nash, `planned` [N]: under a planner, `led` [N, N]: of each (column) if the one of
    the row moves first. `anarchy`: the sum of `costs` over that of `planned`; `commitment` [N]: what each
    saves, against Nash, by moving first, >= 0; `borne` [N, N]: what each (column) pays more than in Nash
    if the one of the row moves first, minus `commitment` on the diagonal. `converged`: whether all of these
    equilibria were found.
    """

    costs: Float[Array, " players"]
    planned: Float[Array, " players"]
    led: Float[Array, "players players"]
    anarchy: Scalar
    commitment: Float[Array, " players"]
    borne: Float[Array, "players players"]
    converged: Bool[Array, ""]


@door
def prices(
    game: AbstractGame,
    x0: Float[Array, "..."],
    ts: Float[Array, " times"] | None = None,
    *,
    guess: Float[Array, "..."] | None = None,
    rounds: int = 64,
    max_steps: int = 512,
) -> Prices:
    """The prices of a game: of anarchy, of commitment, and who pays them.

    By `nash`, `planner` and `stackelberg` with each player as the leader, the last two from the controls
    of the first; what `stackelberg` says of the size of games holds here too. Of games without a planner's
    cost the price of anarchy is NaN.

    Arguments and what is raised as in `nash`.
    """
    alone = nash(game, x0, ts, guess=guess, rounds=rounds, max_steps=max_steps)
    near = {"guess": alone.controls, "max_steps": max_steps}
    best = planner(game, x0, ts, **near)
    first = [stackelberg(game, x0, ts, leader=i, **near) for i in range(len(alone.costs))]
    led = jnp.stack([one.costs for one in first])
    borne, total = led - alone.costs, best.costs.sum()
    anarchy = jnp.where(total == 0, jnp.nan, alone.costs.sum() / jnp.where(total == 0, 1, total))
    good = jnp.stack([one.converged for one in (alone, best, *first)]).all()
    return Prices(alone.costs, best.costs, led, anarchy, -jnp.diag(borne), borne, good)
