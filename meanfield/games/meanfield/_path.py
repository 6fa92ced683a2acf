import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jaxtyping import Array, Float

from ..._door import door
from ..._typing import Scalar
from ._fictitious_play import learn
from ._horizon import Horizon, MeanFieldPath, equations, fitting, posed, whole
from ._mean_field_game import MeanFieldGame

_ITERATIONS = 32
_STAGES = 8
"""Games, each longer than the one before, by which one without a guess is reached."""
_ROUNDS = 64
"""Of fictitious play, from which a planner's path is sought too."""
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
      together in place of their own cost. Of paths that are stationary for that the better one of two is
      taken, from rest and from 64 rounds of fictitious play, or with a guess that one.
    - `guess` [T, k]: values to begin with, such as `value` of another path or of fictitious play. Beyond the
      threshold there may be several equilibria, and from a law that is uniform nobody needs to move.

    `converged` is False where the method fails, where steps are too long, as of a discount that they do
    not resolve, where a law is negative somewhere (or, with an aversion, nearly 0, as its logarithm is
    taken), where it needs more degrees than the basis has, and where a planner's path costs more than
    Nash's or than what players have learned in those rounds: begin with another guess.
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
    return _play(played, value, guess is not None)


@eqx.filter_jit
def _play(game: Horizon, value: Float[Array, "times k"], guessed: bool) -> MeanFieldPath:
    """The path; of a planner the best of those that are found, if none is known that costs less."""
    at_rest = jnp.broadcast_to(game.start, value[1:].shape)
    tries = [(jnp.stack([value[:-1], at_rest], axis=1), 1 if guessed else _STAGES)]
    if not game.planned:
        return _newton(game, tries)
    fixed = jax.lax.stop_gradient(game)
    learned = learn(fixed, _ROUNDS, jnp.zeros_like(game.step)).path
    if not guessed:
        tries.append((jnp.stack([learned.value[:-1], learned.density[1:]], axis=1), 1))
    found, alone = _newton(game, tries), dataclasses.replace(fixed, planned=False)
    nash = _newton(alone, [(jnp.stack([value[:-1], at_rest], axis=1), _STAGES)])
    # What a step in time leaves of both costs, of order step^2.
    close = jnp.abs(found.exploitability) + jnp.abs(nash.exploitability)
    known = jnp.minimum(jnp.where(nash.converged, nash.cost, jnp.inf), learned.cost)
    best = ~(found.cost > known + close)
    return eqx.tree_at(lambda one: one.converged, found, found.converged & best)


def _newton(game: Horizon, tries: list[tuple[Array, int]]) -> MeanFieldPath:
    """The cheapest of the paths that Newton's method finds from several guesses, each by so many stages."""
    dtype = game.start.dtype
    tol = max(1e-11, 64 * float(jnp.finfo(dtype).eps))
    method = optx.Newton(rtol=tol, atol=tol, linear_solver=lx.LU())

    def longer(before, given):
        guess, first, share = given
        args = eqx.tree_at(lambda g: g.ts, game, share * game.ts)
        before = jnp.where(first, guess, before)
        found = optx.root_find(
            equations, method, before, args=args, max_steps=_ITERATIONS, throw=False
        )
        good = found.result == optx.RESULTS.successful
        return found.value, (found.value, found.stats["num_steps"], good)

    # Short games are those of players who hardly move: each is the guess for a longer one.
    stages = [count for _, count in tries]
    guesses = jnp.concatenate([jnp.broadcast_to(g, (n, *g.shape)) for g, n in tries])
    first = jnp.concatenate([jnp.arange(n) == 0 for n in stages])
    shares = jnp.concatenate([jnp.arange(1, n + 1, dtype=dtype) / n for n in stages])
    _, (ends, counts, good) = jax.lax.scan(longer, guesses[0], (guesses, first, shares))
    last = np.cumsum(stages) - 1
    paths = [_path(game, ends[k], counts.sum(), good[k], 16 * tol) for k in last]
    every = jax.tree.map(lambda *one: jnp.stack(one), *paths)
    done = good[last] & (every.residual <= 16 * tol) & jnp.isfinite(every.cost)
    least = jnp.argmin(jnp.where(done, every.cost, jnp.inf))
    return jax.tree.map(lambda one: one[least], every)


def _path(game: Horizon, unknown: Array, count, good, tol: float) -> MeanFieldPath:
    residual = jnp.abs(equations(unknown, game)).max()
    values, densities = whole(unknown, game)
    efforts = jax.vmap(game.effort)(values, densities)
    done = good & (residual <= tol)
    return game.path(values, densities, efforts, residual, count, done, jnp.asarray(tol))
