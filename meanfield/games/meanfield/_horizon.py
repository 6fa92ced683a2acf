import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_finite, check_instance, check_integer, check_positive, guard, tolerance
from ..._shown import AbstractShown
from ..._typing import Coefficients, Scalar
from ._mean_field_game import (
    MeanFieldGame,
    _common_cost,
    _order,
    _patience,
    _planned,
    _resolved,
    _square_slope,
)  # fmt: skip

_COARSE = 0.1
"""The share of all that is paid and gained above which what could be saved tells that steps are too long."""
_LEAST = 1e-6
"""The least density of which a logarithm is taken."""


class MeanFieldPath(AbstractShown):
    """A mean-field game of finite horizon, played: what players expect, and where they are.

    At the times `ts` [T]: `value` [T, k], the coefficients of V, by whose slope players steer; `density`
    [T, k], those of m; `order` [T], the length of the mean of m. `cost`, what a player pays on
    average beyond the cost of staying uniform; `exploitability`, what is gained at most by deviating, that
    is cost - int V(0) m(0), which is 0 but for the steps in time, of order step^2 (of a planner the same
    for what players are made to feel); `residual`, the largest of the equations, in units of V and m;
    `iterations` of Newton's method, or rounds; `converged`, which steps that leave an exploitability
    of more than a tenth of all that is paid and gained have not.
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


class Horizon(eqx.Module):
    """A game of finite horizon at equal times: what players feel, how they move, what they pay."""

    game: MeanFieldGame
    start: Coefficients
    end: Coefficients
    ts: Float[Array, " times"]
    planned: bool = eqx.field(static=True)

    @property
    def step(self) -> Scalar:
        return self.ts[1]

    @property
    def damping(self) -> Coefficients:
        return self.game.noise.astype(self.ts.dtype) * self.game.basis.eigenvalues.astype(
            self.ts.dtype
        )

    def felt(self, density: Coefficients) -> Coefficients:
        """What players pay for where they are, or are made to feel, beyond that of the uniform law."""
        game, uniform = self.game, jnp.zeros_like(density).at[0].set(1)
        feel = (lambda m: _planned(game, m)) if self.planned else (lambda m: -game._attraction(m))
        logs = game.basis.analyze(jnp.log(jnp.maximum(game.basis.synthesize(density), _LEAST)))
        crowd = game.aversion.astype(density.dtype) * logs
        return _patience(game, density.dtype)[1] * (crowd + feel(density) - feel(uniform))

    def expected(self, value: Coefficients, felt: Coefficients) -> Coefficients:
        """V_t."""
        linear = _patience(self.game, value.dtype)[0] + self.damping
        return linear * value + _square_slope(self.game.basis, value) / 2 - felt

    def carried(self, value: Coefficients, density: Coefficients) -> Coefficients:
        """m_t, with div(m grad V) = (Lap(m V) + m Lap V - V Lap m)/2."""
        basis, eigenvalues = self.game.basis, self.game.basis.eigenvalues.astype(value.dtype)
        carried = (
            basis.product(value, eigenvalues * density)
            - basis.product(density, eigenvalues * value)
            - eigenvalues * basis.product(density, value)
        ) / 2
        return carried - self.damping * density

    def effort(self, value: Coefficients, density: Coefficients) -> Scalar:
        return density @ _square_slope(self.game.basis, value) / 2

    def over_time(self, rates: Float[Array, " times"]) -> Float[Array, " steps"]:
        """The part of each step in an integral, discounted, by the trapezoidal rule."""
        rates = jnp.exp(-_patience(self.game, self.ts.dtype)[0] * self.ts) * rates
        return self.step * (rates[1:] + rates[:-1]) / 2

    def path(self, values, densities, efforts, residual, iterations, done, tol) -> MeanFieldPath:
        """What the players of this path pay, who exert these efforts [T]."""
        game, dtype = self.game, self.ts.dtype
        felt = jax.vmap(lambda m: m @ self.felt(m))(densities)
        paid = self.over_time(efforts + jax.vmap(self.shared)(densities))
        rates = self.over_time(efforts + felt)
        closing = jnp.exp(-_patience(game, dtype)[0] * self.ts[-1]) * (self.end @ densities[-1])
        gap = rates.sum() + closing - values[0] @ self.start
        fine = jnp.abs(gap) <= _COARSE * (jnp.abs(rates).sum() + jnp.abs(closing)) + tol
        least = jax.vmap(game.basis.synthesize)(densities).min()
        fits = jax.vmap(lambda m: _resolved(game.basis, m))(densities).all()
        positive = least >= jnp.where(game.aversion == 0, -1e-3, _LEAST)
        orders = jax.vmap(lambda m: _order(game.basis, m))(densities)
        return MeanFieldPath(
            self.ts, values, densities, orders, paid.sum() + closing, gap, residual,
            iterations, done & fits & fine & positive,
        )  # fmt: skip

    def shared(self, density: Coefficients) -> Scalar:
        """What all pay on average for where they are."""
        game, uniform = self.game, jnp.zeros_like(density).at[0].set(1)
        m = game.basis.synthesize(density)
        logs = game.basis.weights.astype(m.dtype) @ (m * jnp.log(jnp.maximum(m, _LEAST)))
        near = _common_cost(game, density) - _common_cost(game, uniform)
        return _patience(game, m.dtype)[1] * (near + game.aversion.astype(m.dtype) * logs)


def posed(game: MeanFieldGame, start, horizon, steps, terminal, planned: bool) -> Horizon:
    """The game, once its parts fit."""
    check_instance(game, MeanFieldGame, "a mean-field game", "pass MeanFieldGame(...)")
    dtype, size = game.noise.dtype, game.basis.size
    steps = check_integer(steps, "steps")
    start = fitting(start, "start", (size,)).astype(dtype)
    message = "expected a law of mass 1, start[0] = 1; divide by its mean."
    start = guard(start, jnp.abs(start[0] - 1) <= tolerance(dtype), message)
    end = jnp.zeros_like(start) if terminal is None else fitting(terminal, "terminal", (size,))
    horizon = check_positive(horizon, "horizon", "pass horizon=1.0").astype(dtype)
    ts = horizon * jnp.arange(steps + 1, dtype=dtype) / steps
    return Horizon(game, start, end.astype(dtype), ts, planned)


def fitting(coeffs, name: str, shape: tuple[int, ...]) -> Array:
    """Coefficients of this shape."""
    coeffs = check_finite(coeffs, name)
    if coeffs.shape != shape:
        raise ValueError(
            f"expected {name} of shape {list(shape)}, got {list(coeffs.shape)}; pass basis.analyze(values)."
        )
    return coeffs


def equations(unknown: Array, game: Horizon) -> Array:
    """The trapezoidal rule, in units of its implicit part; `unknown` [M, 2, k]: V, m not given."""
    values, densities = whole(unknown, game)
    felt = jax.vmap(game.felt)(densities)
    rates = jnp.stack(
        [jax.vmap(game.expected)(values, felt), jax.vmap(game.carried)(values, densities)], axis=1
    )
    changes = jnp.diff(jnp.stack([values, densities], axis=1), axis=0)
    return (changes - game.step * (rates[1:] + rates[:-1]) / 2) / (1 + game.step / 2 * game.damping)


def whole(unknown: Array, game: Horizon) -> tuple[Array, Array]:
    """Values and laws at all times."""
    values = jnp.concatenate([unknown[:, 0], game.end[None]])
    return values, jnp.concatenate([game.start[None], unknown[:, 1]])
