from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx
from jaxtyping import Array, Float

from ..._checks import check_integer
from ..._door import door
from ._game import AbstractGame, Controls
from ._nash import Equilibrium, judged, minimized, start


@door
def stackelberg(
    game: AbstractGame,
    x0: Float[Array, "..."],
    ts: Float[Array, " times"] | None = None,
    *,
    leader: int = 0,
    guess: Float[Array, "..."] | None = None,
    max_steps: int = 256,
) -> Equilibrium:
    """The equilibrium of a leader, who moves first, and of followers, who see it and play Nash.

        min_u J_leader(u, F(u)),    F(u) the root of dJ_j/du_j = 0 of all others j

    by L-BFGS over Newton's method, whose roots are differentiated by the implicit function theorem. A
    leader never pays more than in Nash. `exploitability` of the followers is 0; that of the leader says
    what it would save if the followers did not answer.

    - `leader`: the number of the player. Costs are differentiated three times. Newton's method is dense: of
      few times and tokens alone. Other arguments as in `nash`.

    Source: von Stackelberg (1934); Fiez, Chasnov, Ratliff, arXiv 1906.01217, for the derivative.
    """
    controls = start(game, x0, ts, guess)
    leader, limit = check_integer(leader, "leader", 0), check_integer(max_steps, "max_steps")
    if leader >= len(controls):
        raise ValueError(
            f"expected a leader below {len(controls)}, got {leader}; pass the number of a player."
        )
    controls, ok = _led(game, controls, x0, ts, jnp.asarray(leader), limit)
    none = jnp.asarray(jnp.nan, controls.dtype)
    found = judged(game, controls, x0, ts, limit, none, 0)
    others = jnp.arange(len(controls)) != leader
    tempted = jnp.where(others, found.exploitability, 0).max()
    good = ok & (tempted <= 1e-6 * jnp.abs(found.costs).sum())
    return cast(Equilibrium, eqx.tree_at(lambda e: e.converged, found, good))


@eqx.filter_jit
def _led(game: AbstractGame, controls: Controls, x0, ts, leader, max_steps: int):
    n = len(controls)
    others = (leader + 1 + jnp.arange(n - 1)) % n

    def together(first, rest):
        return controls.at[leader].set(first).at[others].set(rest)

    def slopes(rest, first):
        whole = together(first, rest)
        own = lambda j: jax.grad(lambda u: game.costs(whole.at[j].set(u), x0, ts)[j])(whole[j])
        return jax.vmap(own)(others)

    tol = float(jnp.finfo(controls.dtype).eps) ** 0.75

    def answers(first):
        method = optx.Newton(rtol=tol, atol=tol)
        return optx.root_find(slopes, method, controls[others], args=first, throw=False)

    def cost(first, _):
        return game.costs(together(first, answers(first).value), x0, ts)[leader]

    first, ok = minimized(cost, controls[leader], max_steps)
    rest = answers(first)
    return together(first, rest.value), ok & (rest.result == optx.RESULTS.successful)
