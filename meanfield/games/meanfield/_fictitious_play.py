import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_integer, check_positive
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Coefficients, Scalar
from ._horizon import Horizon, MeanFieldPath, equations, posed
from ._mean_field_game import MeanFieldGame

_ITERATIONS = 16


class FictitiousPlay(AbstractShown):
    """What players of a mean-field game learn by answering the mean of all that they have done.

    `path`: with the mean of laws as its `density`, the answer to it as its `value`, and the `cost` and
    `exploitability` of players each of whom does what all did in some round, drawn at random;
    `apart` [rounds]: the largest coefficient by which the law of the answer differs from the mean of
    those before, NaN in rounds that were not played; `rounds` played; `converged`.
    """

    path: MeanFieldPath
    apart: Float[Array, " rounds"]
    rounds: Int[Array, ""]
    converged: Bool[Array, ""]


@door
def fictitious_play(
    game: MeanFieldGame,
    start: Float[Array, " k"],
    horizon: Scalar | float,
    steps: int = 32,
    *,
    terminal: Float[Array, " k"] | None = None,
    planner: bool = False,
    rounds: int = 200,
    tol: Scalar | float = 1e-3,
) -> FictitiousPlay:
    """A mean-field game of finite horizon by fictitious play: a second way to `mean_field_path`.

        V^n, m^n: the answer to M^n,    M^{n+1} = M^n + (m^n - M^n)/(n + 1)

    Each round goes backward in V under what the mean of laws M^n makes players feel, then forward in
    the law, by the same trapezoidal rule, each step by itself, for more steps than Newton's method can
    take at once. What is off falls like n^-(1 - s), s being the largest slope of the answer, or 0: like
    1/n where players avoid each other, slower where they attract, and not at all where s > 1.

    - `game`, `start`, `horizon`, `steps`, `terminal`, `planner`: as of `mean_field_path`.
    - `rounds`: at most. `tol`: how near the answer is to the mean of laws, in the largest coefficient,
      where play ends.

    `converged` is False where that is not reached, and where a path has not converged.
    Raises ValueError for coefficients that do not fit.
    Source: Cardaliaguet and Hadikhanloo (2017), doi:10.1051/cocv/2016004.
    """
    played = posed(game, start, horizon, steps, terminal, planner)
    tol = check_positive(tol, "tol", "pass tol=1e-3").astype(game.noise.dtype)
    return learn(played, check_integer(rounds, "rounds"), tol)


@eqx.filter_jit
def learn(game: Horizon, rounds: int, tol: Scalar) -> FictitiousPlay:
    """So many rounds, or fewer."""
    count, dtype = len(game.ts), game.start.dtype

    def again(carry):
        n, _, mean, _, _, apart = carry
        return (n < rounds) & ((n < 2) | (apart[n - 1] > tol)) & jnp.isfinite(mean).all()

    def round_(carry):
        n, value, mean, effort, answer, apart = carry
        value = _backward(game, jax.vmap(game.felt)(mean), value)
        answer = _forward(game, value)
        far = jnp.abs(answer - mean).max()
        part = 1 / (n + 1).astype(dtype)
        effort = effort + part * (jax.vmap(game.effort)(value, answer) - effort)
        mean = mean + part * (answer - mean)
        return n + 1, value, mean, effort, answer, apart.at[n].set(far)

    still = jnp.broadcast_to(game.start, (count, *game.start.shape))
    value = jnp.broadcast_to(game.end, still.shape)
    begun = jnp.zeros((), int), value, still, jnp.zeros(count, dtype), still
    last = jax.lax.while_loop(again, round_, (*begun, jnp.full(rounds, jnp.nan, dtype)))
    n, value, mean, effort, _, apart = last
    value = _backward(game, jax.vmap(game.felt)(mean), value)
    residual = jnp.abs(equations(jnp.stack([value[:-1], mean[1:]], axis=1), game)).max()
    done = apart[n - 1] <= tol
    path = game.path(value, mean, effort, residual, n, done, tol)
    return FictitiousPlay(path, apart, n, path.converged)


def _backward(game: Horizon, felt: Float[Array, "times k"], before: Float[Array, "times k"]):
    """The values of players who feel this; `before`, values nearby."""
    half, dtype = game.step / 2, game.start.dtype
    tol = max(1e-12, 16 * float(jnp.finfo(dtype).eps))
    method = optx.Newton(rtol=tol, atol=tol, linear_solver=lx.LU())

    def earlier(later, given):
        (value, felt_later), (felt_now, guess) = later, given
        right = value - half * game.expected(value, felt_later)

        def equation(now: Coefficients, _) -> Coefficients:
            left = now + half * game.expected(now, felt_now) - right
            return left / (1 + half * game.damping)

        now = optx.root_find(equation, method, guess, max_steps=_ITERATIONS, throw=False)
        found = jnp.where(now.result == optx.RESULTS.successful, now.value, jnp.nan)
        return (found, felt_now), found

    first = game.end, felt[-1]
    values = jax.lax.scan(earlier, first, (felt[:-1], before[:-1]), reverse=True)[1]
    return jnp.concatenate([values, game.end[None]])


def _forward(game: Horizon, values: Float[Array, "times k"]) -> Float[Array, "times k"]:
    """The laws of players who follow these values."""
    half = game.step / 2

    def later(density, pair):
        now, then = pair
        right = density + half * game.carried(now, density)
        rule = jax.jacfwd(lambda m: m - half * game.carried(then, m))(density)
        density = jnp.linalg.solve(rule, right)
        return density, density

    laws = jax.lax.scan(later, game.start, (values[:-1], values[1:]))[1]
    return jnp.concatenate([game.start[None], laws])
