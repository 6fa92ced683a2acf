from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_instance, check_integer, check_known
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...attention.kernels import AbstractDensityAttention, Unnormalized
from ._kuramoto import Kuramoto
from ._mean_field_game import MeanFieldGame

_STEPS = 32
_STAGES = 4
"""Couplings, each stronger than the one before, by which the game is reached."""
_LARGEST = 200_000
"""Nodes of a torus, on which Newton's method takes seconds a step."""
_RESOLVED = 5e-3
"""The share of the largest Fourier coefficient of V that its highest ones may have, and that of W by
which the balance of costs may be off."""


class FewPlayers(AbstractShown):
    """A stationary Nash equilibrium of N players on the circle who see each other.

    `value` [points, ..., points]: V of a player, of mean 0, at the angles y_2, ..., y_N of the others from
    it, 2 pi/points apart; `law` of the same shape: the density of these angles in the long run, of mean 1;
    `cost`: what each pays in unit time, beyond the cost of players who do nothing, of which `effort` is
    E a_1^2/2; `together`: E cos(X_1 - X_2), of many players the square of the length of their mean;
    `residual`, the largest of the equations of V; `iterations` of Newton's method for it; `converged`.
    """

    value: Float[Array, "..."]
    law: Float[Array, "..."]
    cost: Scalar
    effort: Scalar
    together: Scalar
    residual: Scalar
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


@door
def few_players(game: MeanFieldGame, players: int, *, points: int = 17) -> FewPlayers:
    """N players of a mean-field game on the circle, each of whom sees all others and plans for them.

        dX_i = a_i dt + sqrt(2 noise) dB_i,    cost |a_i|^2/2 - sum_{j != i} W(X_i - X_j)/(N - 1)
        E = noise Lap V - (dV/dx_1)^2/2 + sum_{j > 1} a_j dV/dx_j - sum_{j > 1} W(x_1 - x_j)/(N - 1)

    with a_j = -dV_j/dx_j, where V_j is the same function of what player j sees. As N grows, E tends to the
    `cost` of `game.equilibrium()` like 1/N, and so do `effort`, to its effort, and `together`, to the square
    of its order. The law m of the angles y_j = X_j - X_1, e^{-U/noise}, is found by the equation of U,

        noise Lap m = sum_{j > 1} d((a_j - a_1) m)/dy_j

    with the Laplacian of all players. Of two players under `Kuramoto(kappa)`
    E = (2 noise^2/3) a_0(3 kappa/(4 noise^2)), a_0 being Mathieu's: they follow each other, and pay less
    than many who do not.

    - `game`: on the circle, without discount and aversion, of `Kuramoto` or `Unnormalized` attention; its
      basis says how many harmonics W has.
    - `players`: 2 or more. `points`: of each angle, odd; points^(N - 1) at most 200,000.

    By Newton's method on a torus, with Fourier's derivatives. Where it fails, V or m needs more points, or
    effort less E W(X_1 - X_2) is not the cost, `converged` is False.
    Raises ValueError for other games and under jit.
    Source: Lasry and Lions (2007), doi:10.1007/s11537-007-0657-8, for the limit; Cardaliaguet, Delarue,
    Lasry, Lions (2019), arXiv 1509.02505, for its rate where the coupling repels.
    """
    check_instance(game, MeanFieldGame, "a mean-field game", "pass MeanFieldGame(...)")
    check_known(game, "a game", "call it outside of jax.jit")
    others = check_integer(players, "players", 2) - 1
    points = check_integer(points, "points", 5)
    pairs = isinstance(game.attention, Kuramoto | Unnormalized)
    alone = game.discount is None and game.aversion == 0
    if game.basis.d != 2 or not alone or not pairs:
        raise ValueError(
            "expected a game on the circle, without discount and aversion, of pairs; pass "
            "MeanFieldGame(Gegenbauer(2, 24), Kuramoto(1.0), 0.5)."
        )
    if points % 2 == 0:
        raise ValueError(f"expected an odd number of points, got {points}; pass {points + 1}.")
    if points**others > _LARGEST:
        raise ValueError(
            f"expected points^(players - 1) of at most {_LARGEST}, got {points}^{others}; pass fewer points."
        )
    return _found(game, others, points)


def _pull(game: MeanFieldGame, points: int) -> Float[Array, " points"]:
    """W at the angles of the nodes, of mean 0."""
    basis, attention = game.basis, cast(AbstractDensityAttention, game.attention)
    angle = 2 * np.pi * np.arange(points) / points
    at = basis.coordinates(jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], axis=1)))
    dirac = basis.moments(at[:1]).ravel()
    pull = attention.attraction(basis, dirac, at) - attention.attraction(
        basis, dirac.at[1:].set(0), at
    )
    return pull.astype(game.noise.dtype)


class _Torus(eqx.Module):
    """Derivatives of functions of N - 1 angles, and what each of the others sees."""

    others: int = eqx.field(static=True)
    points: int = eqx.field(static=True)

    def waves(self, j: int) -> np.ndarray:
        """The frequencies of angle j."""
        return self.along(j, np.fft.fftfreq(self.points, 1 / self.points))

    def along(self, j: int, a):
        """What depends on angle j alone."""
        shape = [1] * self.others
        shape[j] = self.points
        return a.reshape(shape)

    def times(self, factor, v: Array) -> Array:
        """The function whose Fourier coefficients are those of v, times the factor."""
        hat = jnp.fft.fftn(v)
        return jnp.fft.ifftn(jnp.asarray(factor).astype(hat.dtype) * hat).real.astype(v.dtype)

    def slopes(self, v: Array) -> list[Array]:
        return [self.times(1j * self.waves(j), v) for j in range(self.others)]

    def laplacian(self) -> np.ndarray:
        """Of all players, as a factor of Fourier coefficients; the first one moves all angles."""
        waves = [self.waves(j) for j in range(self.others)]
        return np.asarray(-(sum(waves) ** 2) - sum(wave**2 for wave in waves))

    def seen_by(self, j: int) -> tuple[np.ndarray, ...]:
        """The nodes at which a function of what player 1 sees is what player j does."""
        y = list(np.indices([self.points] * self.others))
        mine = y[j]
        y[j] = np.zeros_like(mine)
        return tuple((other - mine) % self.points for other in y)


def _own(slopes: list[Array]) -> Array:
    """-dV/dx_1, the control of player 1, who moves all angles."""
    return sum(slopes[1:], start=slopes[0])


def _rate(torus: _Torus, pull: Array, value: Array) -> Array:
    """E at each node, without the Laplacian of V."""
    slopes = torus.slopes(value)
    own = _own(slopes)
    total = -(own**2) / 2
    for j, slope in enumerate(slopes):
        total = total + own[torus.seen_by(j)] * slope - torus.along(j, pull) / torus.others
    return total


def _flow(torus: _Torus, noise: Scalar, own: Array, potential: Array) -> Array:
    """What the equation of the law e^{-U/noise} says at each node, without the Laplacian of U."""
    slopes, total = torus.slopes(potential), jnp.zeros_like(own)
    for j, slope in enumerate(slopes):
        drift = own[torus.seen_by(j)] - own
        spread = torus.times(1j * torus.waves(j), drift)
        total = total + noise * spread - drift * slope - slope**2
    return total - _own(slopes) ** 2


def _tolerance(dtype) -> float:
    return max(1e-10, 256 * float(jnp.finfo(dtype).eps))


def _newton(dtype) -> optx.Newton:
    tol = _tolerance(dtype)
    linear = lx.GMRES(rtol=1e-5, atol=tol / 16, restart=32, stagnation_iters=64)
    return optx.Newton(rtol=tol, atol=tol, linear_solver=linear)


def _solved(torus: _Torus, noise: Scalar, right: Array) -> Array:
    """(noise Lap)^{-1}; what has no Laplacian stays 0."""
    laplacian = jnp.asarray(torus.laplacian(), noise.dtype)
    still = laplacian == 0
    return torus.times(jnp.where(still, 0, 1 / jnp.where(still, 1, laplacian)), right) / noise


def _value(torus: _Torus, noise: Scalar, pull: Array) -> tuple[Array, Array, Bool[Array, ""]]:
    """V, the iterations, and whether it was found."""

    def equations(value: Array, share: Scalar) -> Array:
        return value + _solved(torus, noise, _rate(torus, share * pull, value))

    def stronger(before, share):
        method = _newton(noise.dtype)
        found = optx.root_find(equations, method, before, args=share, max_steps=_STEPS, throw=False)
        return found.value, (found.stats["num_steps"], found.result == optx.RESULTS.successful)

    shares = jnp.arange(1, _STAGES + 1, dtype=noise.dtype) / _STAGES
    still = jnp.zeros((torus.points,) * torus.others, noise.dtype)
    value, (counts, good) = jax.lax.scan(stronger, still, shares)
    return value, counts.sum(), good[-1]


def _law(torus: _Torus, noise: Scalar, value: Array, own: Array) -> tuple[Array, Bool[Array, ""]]:
    """The density of the angles, of mean 1, and whether it was found."""
    each = [value[torus.seen_by(j)] for j in range(torus.others)]
    # Of two players U is V, and of many the sum of their V counts each pair twice.
    guess, method = (value + sum(each)) / 2, _newton(noise.dtype)
    equations = lambda u, _: u + _solved(torus, noise, _flow(torus, noise, own, u))
    found = optx.root_find(equations, method, guess, max_steps=_STEPS, throw=False)
    law = jnp.exp((found.value.min() - found.value) / noise)
    return law / law.mean(), found.result == optx.RESULTS.successful


@eqx.filter_jit
def _found(game: MeanFieldGame, others: int, points: int) -> FewPlayers:
    torus, noise, pull = _Torus(others, points), game.noise, _pull(game, points)
    value, count, good = _value(torus, noise, pull)
    rate = _rate(torus, pull, value) + noise * torus.times(torus.laplacian(), value)
    cost, largest = rate.mean(), jnp.abs(pull).max()
    residual = jnp.abs(rate - cost).max()
    own = _own(torus.slopes(value))
    law, settled = _law(torus, noise, value, own)
    angle = jnp.asarray(2 * np.pi * np.arange(points) / points, noise.dtype)
    effort, near = jnp.mean(law * own**2) / 2, jnp.mean(law * torus.along(0, pull))
    together = jnp.mean(law * torus.along(0, jnp.cos(angle)))
    fits = jnp.abs(effort - near - cost) <= _RESOLVED * largest
    resolved = _resolved(torus, value) & _resolved(torus, law)
    fits &= resolved & (residual <= 1e3 * _tolerance(noise.dtype) * largest)
    return FewPlayers(value, law, cost, effort, together, residual, count, good & settled & fits)


def _resolved(torus: _Torus, value: Array) -> Bool[Array, ""]:
    size = jnp.abs(jnp.fft.fftn(value))
    return jnp.where(_highest(torus), size, 0).max() <= _RESOLVED * size.max()


def _highest(torus: _Torus) -> np.ndarray:
    """Where some frequency is one of the last two."""
    waves = [np.abs(torus.waves(j)) for j in range(torus.others)]
    top = (torus.points - 1) // 2
    return np.asarray(sum((wave >= top - 1).astype(int) for wave in waves)) > 0
