from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jaxtyping import Array, Bool, Float

from ..._checks import check_finite, check_instance, check_positive, check_scalar, guard
from ..._door import AbstractChecked, door
from ..._typing import Coefficients, Scalar
from ...attention.kernels import AbstractAttention, AbstractDensityAttention, check_isotropic
from ...harmonics import AbstractBasis
from ...landscape.densities import growth_rates
from ._mean_field_equilibrium import MeanFieldEquilibrium

_STEPS = 64
_RESOLVED = 1e-3
"""The share of the largest coefficient of m that its highest degrees may have."""
_SMALL = 1e-3
"""The order at which a branch is begun: linear theory is right there up to 1e-6 of it."""


class MeanFieldGame(AbstractChecked):
    """Infinitely many players on a sphere who are drawn to each other, and plan ahead.

        dX = a dt + sqrt(2 noise) dB,    cost |a|^2/2 + scale (aversion log m(X) - (W*m)(X))
        discount V - noise Lap V + |grad V|^2/2 = scale (aversion log m - W*m),    m = e^{-V/noise}/Z

    The average over all time without a discount, with scale = 1; of e^{-discount t} otherwise, with
    scale = discount. Then discount -> infinity, impatience, is the attention flow of noise + aversion:
    players move along the gradient of W*m - aversion log m. Without discount phi = sqrt m solves

        -2 noise^2 Lap phi + (2 aversion log phi - W*phi^2) phi = E phi,

    Hartree's equation, E being the cost in unit time for W of mean 0.

    W*m is the `attraction` of the attention, whose gradient is the mean field: e^{beta <x, y>}/beta for
    `Unnormalized`, (1/beta) log int e^{beta <x, y>} m(dy) in place of W*m for `Softmax`, kappa <x, y> for
    `Kuramoto`. For `Sinkhorn` it is -g/beta, g being the potential of the doubly stochastic plan of m with
    itself: <x, y> for small beta, and for large beta log(m)/(2 beta), a liking of crowds.

    Aversion to crowds, the local coupling of `crowd_aversion`, is one more linear term, for
    log m = -V/noise - log Z. Where it is negative, players like crowds, and gather without attention:
    those of the line in N(0, -noise^2/aversion).

    - `basis`: `Gegenbauer(d, degree)` for laws with an axis, which is quickest, `Fourier(degree)` or
      `SphericalHarmonics(degree)`; V needs fewer harmonics than the law, of width about noise/order.
    - `attention`: one that a density can feel. `noise`: > 0. `discount`: > 0, or None.
    - `aversion`: to crowds, of either sign; 0 by default.

    Raises ValueError for an attention with matrices, and noise or discount that is not positive.
    Source: Lasry and Lions (2007), doi:10.1007/s11537-007-0657-8; Yin, Mehta, Meyn, Shanbhag (2012),
    doi:10.1109/TAC.2011.2168082, for oscillators; Gueant, Lasry, Lions (2011),
    doi:10.1007/978-3-642-14660-2_3, for crowds. What attention adds is derived here.
    """

    basis: AbstractBasis
    attention: AbstractAttention
    noise: Scalar = eqx.field(converter=lambda a: check_positive(a, "noise", "pass noise=0.3"))
    discount: Scalar | None = eqx.field(
        default=None, converter=lambda r: None if r is None else check_positive(r, "discount")
    )
    aversion: Scalar = eqx.field(default=0.0, converter=lambda a: check_scalar(a, "aversion"))

    def __check_init__(self):
        super().__check_init__()
        check_instance(self.attention, AbstractAttention, "an attention", "pass Softmax(2.0)")
        check_isotropic(self.attention, self.basis.d)

    def thresholds(self) -> Float[Array, " degrees"]:
        """The noise below which each degree k >= 1 grows about the uniform law; 0 if it never does.

        noise^2 lambda_k = W_k - aversion
        noise (1 + noise lambda_k/discount) = W_k - aversion    with a discount
        """
        degree = max(int(self.basis.degrees[-1]), 1)
        rates = growth_rates(self.attention, self.basis.d, 0.0, degree)[1:]
        k = jnp.arange(1, degree + 1, dtype=rates.dtype)
        eigenvalues = k * (k + self.basis.d - 2)
        strength = jnp.maximum(rates / eigenvalues - self.aversion.astype(rates.dtype), 0)
        if self.discount is None:
            return jnp.sqrt(strength / eigenvalues)
        pace = strength * eigenvalues / self.discount.astype(rates.dtype)
        return 2 * strength / (1 + jnp.sqrt(1 + 4 * pace))

    def critical_noise(self) -> Scalar:
        """The noise at which the uniform law loses stability: the largest of `thresholds`."""
        return self.thresholds().max()

    @door
    def equilibrium(self, guess: Coefficients | None = None) -> MeanFieldEquilibrium:
        """A stationary Nash equilibrium, by Newton's method.

        `guess` [k] are coefficients of V, such as `value` of another equilibrium or zeros for the uniform
        law; by default a cluster about e_1. Several guesses may find several equilibria: far below the
        critical noise the search may end at the uniform law, and the value of an equilibrium at
        higher noise is the better guess. Where the method fails, or the basis has too few degrees for
        the law (its last ones exceed 1e-3 of the largest), `converged` is False.
        """
        return _solve(self, self._guess(guess), False, None)

    @door
    def planner(self, guess: Coefficients | None = None) -> MeanFieldEquilibrium:
        """The optimum of a planner who minimizes what all players pay together.

        Its players feel the derivative of int m W*m, which is 2 W*m for linear W, twice what they feel
        by themselves. Of `Sinkhorn` attention it is W*m + 1/beta, and that of int m log m is log m + 1: there
        equilibria of players who care for themselves are stationary for what all pay. `guess` as in
        `equilibrium`; `cost` is what a player pays in unit time.
        """
        return _solve(self, self._guess(guess), True, None)

    @door
    def branch(self, orders: Float[Array, " points"]) -> MeanFieldEquilibrium:
        """The equilibria of given order, with the noise of each, which counts as unknown.

        `orders` [points], ascending in (0, 1); each is solved from the one before. What is returned
        has a leading axis. As the order goes to 0 the noise goes to `critical_noise()`.
        """
        orders = check_finite(orders, "orders")
        message = "expected orders ascending in (0, 1); pass jax.numpy.linspace(0.05, 0.9, 18)."
        within = (orders > 0).all() & (orders < 1).all() & (jnp.diff(orders) > 0).all()
        return _branch(self, guard(orders, within, message))

    def _guess(self, guess: Coefficients | None) -> Coefficients:
        if guess is None:
            return -2 * self.noise * _axis(self.basis, self.noise.dtype)
        guess = check_finite(guess, "guess")
        if guess.shape != (self.basis.size,):
            raise ValueError(
                f"expected {self.basis.size} coefficients of V, got shape {list(guess.shape)}; pass "
                "basis.analyze(values)."
            )
        return guess.astype(self.noise.dtype)

    def _attraction(self, coeffs: Coefficients) -> Coefficients:
        """The coefficients of W*m."""
        attention = cast(AbstractDensityAttention, self.attention)  # as was checked
        at = self.basis.coordinates(self.basis.points.astype(coeffs.dtype))
        return self.basis.analyze(attention.attraction(self.basis, coeffs, at))


def _axis(basis: AbstractBasis, dtype) -> Coefficients:
    """The harmonic of degree 1 along e_1, of norm 1."""
    point = jnp.zeros((1, basis.d), dtype).at[0, 0].set(1)
    first = jnp.asarray(basis.degrees == 1, dtype)
    return first * basis.moments(basis.coordinates(point)) / jnp.sqrt(jnp.asarray(basis.d, dtype))


def _log_density(basis: AbstractBasis, value: Coefficients, noise: Scalar) -> Float[Array, " q"]:
    """log m at the nodes."""
    logs = -basis.synthesize(value) / noise
    return logs - jax.nn.logsumexp(logs, b=basis.weights.astype(value.dtype))


def _density(basis: AbstractBasis, value: Coefficients, noise: Scalar) -> Coefficients:
    return basis.analyze(jnp.exp(_log_density(basis, value, noise)))


def _square_slope(basis: AbstractBasis, value: Coefficients) -> Coefficients:
    """|grad V|^2 = (1/2) Lap V^2 - V Lap V, which is the same in all bases."""
    eigenvalues = basis.eigenvalues.astype(value.dtype)
    return basis.product(value, eigenvalues * value) - eigenvalues * basis.product(value, value) / 2


def _order(basis: AbstractBasis, density: Coefficients) -> Scalar:
    first = jnp.asarray(basis.degrees == 1, density.dtype)
    square = jnp.sum(first * density**2) / basis.d
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def _resolved(basis: AbstractBasis, density: Coefficients) -> Bool[Array, ""]:
    """Whether the highest degrees of a law are small: three, as symmetric laws lack some of them."""
    size, degrees = jnp.abs(density), jnp.asarray(basis.degrees)
    last = jnp.where(degrees > jnp.maximum(degrees.max() - 3, 0), size, 0).max()
    return last <= _RESOLVED * size.max()


def _common_cost(game: MeanFieldGame, density: Coefficients) -> Scalar:
    """-int m W*m."""
    return -density @ game._attraction(density)


def _planned(game: MeanFieldGame, density: Coefficients) -> Coefficients:
    """The derivative of what all pay together, which is what a planner lets each one feel."""
    return jax.grad(lambda c: _common_cost(game, c))(density)


def _equations(unknown: Coefficients, args) -> Coefficients:
    """The residuals of V_k, k >= 1, in units of their linear part; `unknown[0]` is the mean of V,
    which must be 0, or, where an order is given, the noise."""
    game, planned, order = args
    basis, dtype = game.basis, unknown.dtype
    value = unknown.at[0].set(0)
    noise = game.noise.astype(dtype) if order is None else unknown[0]
    density = _density(basis, value, noise)
    felt = _planned(game, density) if planned else -game._attraction(density)
    discount, scale = _patience(game, dtype)
    linear = discount + noise * basis.eigenvalues.astype(dtype)
    crowd = scale * game.aversion.astype(dtype) / noise
    left = (linear + crowd) * value + _square_slope(basis, value) / 2 - scale * felt
    condition = unknown[0] if order is None else _order(basis, density) - order
    unit = linear + jnp.abs(crowd)
    return (left / jnp.where(unit > 0, unit, 1)).at[0].set(condition)


def _patience(game: MeanFieldGame, dtype) -> tuple[Scalar, Scalar]:
    """The discount and the scale of W*m."""
    if game.discount is None:
        return jnp.zeros((), dtype), jnp.ones((), dtype)
    return game.discount.astype(dtype), game.discount.astype(dtype)


@eqx.filter_jit
def _solve(game: MeanFieldGame, guess: Coefficients, planned: bool, order) -> MeanFieldEquilibrium:
    # Solutions come in orbits of rotations on the circle and on S^2: steps of least norm.
    eps = float(jnp.finfo(guess.dtype).eps)
    linear = lx.SVD(rcond=max(1e-10, 1024 * eps))
    tol, args = max(1e-11, 64 * eps), (game, planned, order)
    method = optx.Newton(rtol=tol, atol=tol, linear_solver=linear)
    adjoint = optx.ImplicitAdjoint(linear_solver=linear)
    found = optx.root_find(
        _equations, method, guess, args=args, max_steps=_STEPS, adjoint=adjoint, throw=False
    )
    residual = jnp.abs(_equations(found.value, args)).max()
    noise = game.noise.astype(guess.dtype) if order is None else found.value[0]
    value = found.value.at[0].set(0)
    density = _density(game.basis, value, noise)
    done = (found.result == optx.RESULTS.successful) & (residual <= 16 * tol)
    converged = done & (noise > 0) & _resolved(game.basis, density)
    effort = density @ _square_slope(game.basis, value) / 2
    # Of the attraction only the gradient is known: a constant is not.
    uniform = jnp.zeros_like(density).at[0].set(1)
    shared = _common_cost(game, density) - _common_cost(game, uniform)
    logs = _log_density(game.basis, value, noise)
    crowded = game.basis.weights.astype(guess.dtype) @ (jnp.exp(logs) * logs)
    shared = shared + game.aversion.astype(guess.dtype) * crowded
    cost = effort + _patience(game, guess.dtype)[1] * shared
    size = _order(game.basis, density)
    steps = found.stats["num_steps"]
    return MeanFieldEquilibrium(
        value, density, cost, effort, size, noise, residual, steps, converged
    )


@eqx.filter_jit
def _branch(game: MeanFieldGame, orders: Float[Array, " points"]) -> MeanFieldEquilibrium:
    critical = game.critical_noise().astype(orders.dtype)
    scale = jnp.sqrt(jnp.asarray(game.basis.d, orders.dtype))
    # m = 1 - V/noise near the uniform law.
    first = -_SMALL * scale * critical * _axis(game.basis, orders.dtype)

    def step(carry, order):
        value, noise, before = carry
        guess = (value * order / before).at[0].set(noise)
        found = _solve(game, guess, False, order)
        return (found.value, found.noise, order), found

    start = first, critical, jnp.asarray(_SMALL, orders.dtype)
    return jax.lax.scan(step, start, orders)[1]
