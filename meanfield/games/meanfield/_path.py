import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, Float

from ..._door import door
from ..._typing import Scalar
from ._horizon import Horizon, MeanFieldPath, fitting, posed
from ._mean_field_game import MeanFieldGame

_ITERATIONS = 32
_STAGES = 8
"""Games, each longer than the one before, by which one without a guess is reached."""
_LARGEST = 6000
"""Unknowns: Newton's method holds the square of them."""


@door
def mean_field_path(
    game: MeanFieldGame,
    start: Float[Array, " k"],
    horizon: Scalar | float,
    steps: int = 32,
    *,
    terminal: Float[Array, " k"] | None = None,
    guess: Float[Array, "times k"] | None = None,
    planner: bool = False,
) -> MeanFieldPath:
    """A mean-field game from a given law to a horizon: forward in the law, backward in the value.

        -V_t + discount V - noise Lap V + |grad V|^2/2 = scale (aversion log m - W*m)
        m_t = noise Lap m + div(m grad V),    m = start at time 0,  V = terminal at the horizon

    by the trapezoidal rule, of order two in time, and Newton's method for all times at once. Long
    games stay near a stationary equilibrium, `game.equilibrium()`, but for their ends: the turnpike.
    The mass is kept, as the equations of degree 0 say.

    - `game`: with its basis, attention, noise, discount and aversion; scale is as there.
    - `start` [k]: coefficients of the law at time 0, the first of them 1: `basis.analyze(density)`.
    - `horizon`: > 0. `steps`: in time; steps times k at most 3000, as Newton's method is dense.
    - `terminal` [k]: coefficients of a cost at the end; none by default.
    - `planner`: whether players feel what `game.planner()` makes them feel, the derivative of what all pay
      together in place of their own cost. The path is then stationary for that, and not always the best.
    - `guess` [T, k]: values to begin with, such as `value` of another path or of fictitious play. Beyond the
      threshold there may be several equilibria, and from a law that is uniform nobody needs to move.

    `converged` is False where the method fails, where steps are too long, as of a discount that they do
    not resolve, where a law is negative somewhere (or, with an aversion, nearly 0, as its logarithm is
    taken), and where it needs more degrees than the basis has.
    Raises ValueError for coefficients that do not fit.
    Source: Achdou, Capuzzo-Dolcetta (2010), doi:10.1137/090758477, for the method; Cardaliaguet, Lasry,
    Lions, Porretta (2012), doi:10.3934/nhm.2012.7.279, for long horizons.
    """
    played = posed(game, start, horizon, steps, terminal, planner)
    count, size = len(played.ts) - 1, game.basis.size
    if 2 * count * size > _LARGEST:
        raise ValueError(
            f"expected steps times k of at most {_LARGEST // 2}, got {count} times {size}; pass fewer steps, "
            "a basis of lower degree, or call fictitious_play."
        )
    value = jnp.broadcast_to(played.end, (count + 1, size)) if guess is None else guess
    value = fitting(value, "guess", (count + 1, size)).astype(game.noise.dtype)
    return _play(played, value, _STAGES if guess is None else 1)


def equations(unknown: Array, game: Horizon) -> Array:
    """The trapezoidal rule, in units of its implicit part; `unknown` [M, 2, k]: V, m not given."""
    values, densities = _whole(unknown, game)
    felt = jax.vmap(game.felt)(densities)
    rates = jnp.stack(
        [jax.vmap(game.expected)(values, felt), jax.vmap(game.carried)(values, densities)], axis=1
    )
    changes = jnp.diff(jnp.stack([values, densities], axis=1), axis=0)
    return (changes - game.step * (rates[1:] + rates[:-1]) / 2) / (1 + game.step / 2 * game.damping)


def _whole(unknown: Array, game: Horizon) -> tuple[Array, Array]:
    values = jnp.concatenate([unknown[:, 0], game.end[None]])
    return values, jnp.concatenate([game.start[None], unknown[:, 1]])


@eqx.filter_jit
def _play(game: Horizon, value: Float[Array, "times k"], stages: int) -> MeanFieldPath:
    start = game.start
    tol = max(1e-11, 64 * float(jnp.finfo(start.dtype).eps))
    method = optx.Newton(rtol=tol, atol=tol, linear_solver=lx.LU())
    begun = jnp.stack([value[:-1], jnp.broadcast_to(start, value[1:].shape)], axis=1)

    def longer(before, share):
        args = eqx.tree_at(lambda g: g.ts, game, share * game.ts)
        found = optx.root_find(
            equations, method, before, args=args, max_steps=_ITERATIONS, throw=False
        )
        good = found.result == optx.RESULTS.successful
        return found.value, (found.stats["num_steps"], good)

    # Short games are those of players who hardly move: each is the guess for a longer one.
    shares = jnp.arange(1, stages + 1, dtype=start.dtype) / stages
    last, (counts, good) = jax.lax.scan(longer, begun, shares)
    residual = jnp.abs(equations(last, game)).max()
    values, densities = _whole(last, game)
    efforts = jax.vmap(game.effort)(values, densities)
    done = good[-1] & (residual <= 16 * tol)
    return game.path(values, densities, efforts, residual, counts.sum(), done, 16 * tol)
