import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_finite, check_instance, check_integer, check_positive, guard, tolerance
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Coefficients, Scalar
from ._mean_field_game import MeanFieldGame, _order, _patience, _resolved, _square_slope

_ITERATIONS = 32
_STAGES = 8
"""Games, each longer than the one before, by which one without a guess is reached."""
_COARSE = 0.1
"""The share of all that is paid and gained above which what could be saved tells that steps are too long."""
_LEAST = 1e-6
"""The least density of which a logarithm is taken."""
_LARGEST = 6000
"""Unknowns: Newton's method holds the square of them."""


class MeanFieldPath(AbstractShown):
    """A mean-field game of finite horizon, played: what players expect, and where they are.

    At the times `ts` [T]: `value` [T, k], the coefficients of V, by whose slope players steer; `density`
    [T, k], those of m; `order` [T], the length of the mean of m. `cost`, what a player pays on
    average beyond the cost of staying uniform; `exploitability`, what is gained at most by deviating, that
    is cost - int V(0) m(0), which is 0 but for the steps in time, of order step^2; `residual`, the largest
    of the equations, in units of V and m; `iterations` of Newton's method; `converged`, which steps
    that leave an exploitability of more than a tenth of all that is paid and gained have not.
    """

    ts: Float[Array, " times"]
    value: Float[Array, "times k"]
    density: Float[Array, "times k"]
    order: Float[Array, " times"]
    cost: Scalar
    exploitability: Scalar
    residual: Scalar
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


@door
def mean_field_path(
    game: MeanFieldGame,
    start: Float[Array, " k"],
    horizon: Scalar | float,
    steps: int = 32,
    *,
    terminal: Float[Array, " k"] | None = None,
    guess: Float[Array, "times k"] | None = None,
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
    - `guess` [T, k]: values to begin with, such as `value` of another path. Beyond the threshold there
      may be several equilibria, and from a law that is uniform nobody needs to move.

    `converged` is False where the method fails, where steps are too long, as of a discount that they do
    not resolve, where a law is negative somewhere (or, with an aversion, nearly 0, as its logarithm is
    taken), and where it needs more degrees than the basis has.
    Raises ValueError for coefficients that do not fit.
    Source: Achdou, Capuzzo-Dolcetta (2010), doi:10.1137/090758477, for the method; Cardaliaguet, Lasry,
    Lions, Porretta (2012), doi:10.3934/nhm.2012.7.279, for long horizons.
    """
    check_instance(game, MeanFieldGame, "a mean-field game", "pass MeanFieldGame(...)")
    dtype, size = game.noise.dtype, game.basis.size
    steps = check_integer(steps, "steps")
    if 2 * steps * size > _LARGEST:
        raise ValueError(
            f"expected steps times k of at most {_LARGEST // 2}, got {steps} times {size}; pass fewer steps, "
            "or a basis of lower degree."
        )
    start = _fitting(start, "start", (size,)).astype(dtype)
    message = "expected a law of mass 1, start[0] = 1; divide by its mean."
    start = guard(start, jnp.abs(start[0] - 1) <= tolerance(dtype), message)
    end = jnp.zeros_like(start) if terminal is None else _fitting(terminal, "terminal", (size,))
    value = jnp.broadcast_to(end, (steps + 1, size)) if guess is None else guess
    value = _fitting(value, "guess", (steps + 1, size)).astype(dtype)
    horizon = check_positive(horizon, "horizon", "pass horizon=1.0").astype(dtype)
    return _play(game, start, end.astype(dtype), horizon, value, _STAGES if guess is None else 1)


def _fitting(coeffs, name: str, shape: tuple[int, ...]) -> Array:
    coeffs = check_finite(coeffs, name)
    if coeffs.shape != shape:
        raise ValueError(
            f"expected {name} of shape {list(shape)}, got {list(coeffs.shape)}; pass basis.analyze(values)."
        )
    return coeffs


def _felt(game: MeanFieldGame, density: Coefficients) -> Coefficients:
    """What players pay for where they are, beyond what they would in the uniform law."""
    uniform = jnp.zeros_like(density).at[0].set(1)
    scale = _patience(game, density.dtype)[1]
    logs = game.basis.analyze(jnp.log(jnp.maximum(game.basis.synthesize(density), _LEAST)))
    crowd = game.aversion.astype(density.dtype) * logs
    return scale * (crowd - game._attraction(density) + game._attraction(uniform))


def _rates(game: MeanFieldGame, value: Coefficients, density: Coefficients) -> tuple[Array, Array]:
    """V_t and m_t."""
    basis, noise = game.basis, game.noise.astype(value.dtype)
    eigenvalues = basis.eigenvalues.astype(value.dtype)
    linear = _patience(game, value.dtype)[0] + noise * eigenvalues
    expected = linear * value + _square_slope(basis, value) / 2 - _felt(game, density)
    # div(m grad V) = (Lap(m V) + m Lap V - V Lap m)/2
    carried = (
        basis.product(value, eigenvalues * density)
        - basis.product(density, eigenvalues * value)
        - eigenvalues * basis.product(density, value)
    ) / 2
    return expected, carried - noise * eigenvalues * density


def _equations(unknown: Array, args) -> Array:
    """The trapezoidal rule, in units of its implicit part; `unknown` [M, 2, k]: V, m not given."""
    game, start, end, horizon = args
    values, densities = _whole(unknown, start, end)
    step = horizon / len(unknown)
    rates = jax.vmap(lambda v, m: jnp.stack(_rates(game, v, m)))(values, densities)
    changes = jnp.diff(jnp.stack([values, densities], axis=1), axis=0)
    implicit = 1 + step / 2 * game.noise.astype(start.dtype) * game.basis.eigenvalues.astype(
        start.dtype
    )
    return (changes - step * (rates[1:] + rates[:-1]) / 2) / implicit


def _whole(unknown: Array, start: Array, end: Array) -> tuple[Array, Array]:
    values = jnp.concatenate([unknown[:, 0], end[None]])
    return values, jnp.concatenate([start[None], unknown[:, 1]])


@eqx.filter_jit
def _play(game: MeanFieldGame, start, end, horizon, value, stages: int) -> MeanFieldPath:
    tol = max(1e-11, 64 * float(jnp.finfo(start.dtype).eps))
    method = optx.Newton(rtol=tol, atol=tol, linear_solver=lx.LU())
    count = len(value) - 1
    ts = horizon * jnp.arange(count + 1, dtype=start.dtype) / count
    begun = jnp.stack([value[:-1], jnp.broadcast_to(start, value[1:].shape)], axis=1)

    def longer(before, share):
        args = game, start, end, share * horizon
        found = optx.root_find(
            _equations, method, before, args=args, max_steps=_ITERATIONS, throw=False
        )
        good = found.result == optx.RESULTS.successful
        return found.value, (found.stats["num_steps"], good)

    # Short games are those of players who hardly move: each is the guess for a longer one.
    shares = jnp.arange(1, stages + 1, dtype=start.dtype) / stages
    last, (counts, good) = jax.lax.scan(longer, begun, shares)
    args = game, start, end, horizon
    residual = jnp.abs(_equations(last, args)).max()
    values, densities = _whole(last, start, end)
    rates = _paid(game, ts, values, densities)
    closing = jnp.exp(-_patience(game, ts.dtype)[0] * horizon) * (end @ densities[-1])
    cost = rates.sum() + closing
    gap = cost - values[0] @ start
    fine = jnp.abs(gap) <= _COARSE * (jnp.abs(rates).sum() + jnp.abs(closing)) + 16 * tol
    least = jax.vmap(game.basis.synthesize)(densities).min()
    fits = jax.vmap(lambda m: _resolved(game.basis, m))(densities).all()
    done = good[-1] & (residual <= 16 * tol)
    orders = jax.vmap(lambda m: _order(game.basis, m))(densities)
    return MeanFieldPath(
        ts, values, densities, orders, cost, gap, residual,
        counts.sum(), done & fits & fine & (least >= jnp.where(game.aversion == 0, -1e-3, _LEAST)),
    )  # fmt: skip


def _paid(game: MeanFieldGame, ts: Array, values: Array, densities: Array) -> Array:
    """For efforts and for where players are, in each step, by the trapezoidal rule."""

    def rate(value, density):
        return density @ (_square_slope(game.basis, value) / 2 + _felt(game, density))

    rates = jnp.exp(-_patience(game, ts.dtype)[0] * ts) * jax.vmap(rate)(values, densities)
    return jnp.diff(ts) * (rates[1:] + rates[:-1]) / 2
