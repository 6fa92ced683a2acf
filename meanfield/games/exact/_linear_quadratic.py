from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..._checks import check_finite, check_integer, check_nonnegative, check_scalar, guard
from ..._door import AbstractChecked, door
from ..._typing import Scalar
from ._plays import AbstractPlay, Feedback, OpenLoop, Planner
from ._starts import check_quantiles, check_start

_HALVINGS, _NODES = 40, 16
"""Of the quadrature of costs: panels halve toward both ends, where layers are as thin as 1/gain."""


_SHORT = 0.01
"""(rate horizon)^2 below which games are expanded: the terms that are left out are below rounding."""


class LinearQuadratic(AbstractChecked):
    """N models that steer their clouds toward the barycenter of all, solved exactly.

        x_i' = drift x_i + u_i
        J_i = int_0^T (|u_i|^2/2 + (running/2) W2^2(rho_i, bar)) dt + (terminal/2) W2^2(rho_i(T), bar(T))

    On the line W2 and the barycenter are linear in quantiles, and between Gaussians of one covariance
    in means, so that the game is linear-quadratic for *any* clouds on the line. With the deviation
    delta_i = Q_i - mean Q of the quantiles Q_i each model plays

        u_i = -P delta_i,    -P' = w running + 2 drift P - b P^2,    P(T) = w terminal

    with w = 1 - 1/N, b = 1 for `OpenLoop()`, w = 1 - 1/N, b = 1 + 1/N for `Feedback()`, and w = b = 1
    for `Planner()`, who minimizes sum_i J_i. The mean of the quantiles moves by the drift alone.
    The open loop is a potential game: Nash minimizes (1 - 1/N) sum_i of the costs of distance plus
    sum_i of the efforts.

    - `players`: N >= 2. `running`, `terminal`: weights >= 0 of the distance to the barycenter.
    - `drift`: a rate at which clouds expand (> 0) or contract (< 0) by themselves.

    The distance enters squared: the slope of W2 itself is a unit vector whatever the distance, which
    makes controls bang-bang, and players who chatter about the barycenter.

    N = 3, running 2, terminal .5 and T = 1 have P(0) = 1.0346721 and end at .4636890 of the distances.
    Raises ValueError for fewer than two players and for negative weights.
    Source: Basar and Olsder, Dynamic Noncooperative Game Theory (1999), chapter 6; derived here.
    """

    players: int = eqx.field(static=True, converter=lambda n: check_integer(n, "players", least=2))
    running: Scalar = eqx.field(converter=lambda q: check_nonnegative(q, "running"))
    terminal: Scalar = eqx.field(converter=lambda g: check_nonnegative(g, "terminal"))
    drift: Scalar = eqx.field(default=0.0, converter=lambda a: check_scalar(a, "drift"))

    @door
    def gain(
        self,
        t: Float[Array, "*times"] | float,
        horizon: Scalar | float,
        play: AbstractPlay | None = None,
    ) -> Float[Array, "*times"]:
        """P at the times t in [0, horizon]; `play` is `OpenLoop()` by default."""
        left, play = self._left(t, horizon), _known(play)
        path = self._path(play, left.dtype, horizon)
        distance, costate = path.at(left)
        return costate / jnp.where(distance == 0, 1, distance) / path.back

    @door
    def stationary_gain(self, play: AbstractPlay | None = None) -> Scalar:
        """P of an infinite horizon: (drift + sqrt(drift^2 + b w running))/b.

        In feedback with drift > 0 there may be others, of unequal gains, which long horizons lead to: see
        `UnequalLinearQuadratic.stationary_gains`.
        """
        path = self._path(_known(play), self.running.dtype)
        return path.up / path.back

    def feedback_gain(self) -> Scalar:
        """P of an infinite horizon in feedback: sqrt(running (N-1)/(N+1)) without drift."""
        return self.stationary_gain(Feedback())

    @door
    def remaining(
        self,
        t: Float[Array, "*times"] | float,
        horizon: Scalar | float,
        play: AbstractPlay | None = None,
    ) -> Float[Array, "*times"]:
        """delta(t)/delta(0), the share of each deviation that is left at times t in [0, horizon]."""
        left, play = self._left(t, horizon), _known(play)
        path = self._path(play, left.dtype, horizon)
        # Not horizon - left: of a long horizon that would round.
        passed = jnp.asarray(t, left.dtype)
        whole = check_scalar(horizon, "horizon").astype(left.dtype)
        logs = [jnp.log(path.at(s)[0]) for s in (left, whole)]
        grown = logs[0] - logs[1] - path.rate * passed
        return jnp.exp((1 - 1 / path.back) * path.drift * passed + grown / path.back)

    @door
    def cost(
        self, horizon: Scalar | float | None = None, play: AbstractPlay | None = None
    ) -> Scalar:
        """J_i over the square of the deviation at the start; without a horizon, for an infinite one.

        Raises ValueError for an infinite horizon without running cost, where nobody has a cost.
        """
        play = _known(play)
        if horizon is None:
            message = "expected running > 0 for an infinite horizon, got 0; pass horizon=1.0."
            gain = guard(self.stationary_gain(play), self.running > 0, message)
            # As b < 2 the gain exceeds any drift.
            return (gain**2 + self.running) / (4 * (gain - self.drift.astype(gain.dtype)))
        whole = check_nonnegative(horizon, "horizon").astype(self.running.dtype)
        nodes, weights = _quadrature()
        t = whole * nodes.astype(whole.dtype)
        share = self.remaining(t, whole, play)
        rate = (self.gain(t, whole, play) ** 2 + self.running) * share**2
        end = self.remaining(whole, whole, play)
        return (
            whole * (weights.astype(whole.dtype) @ rate) + self.terminal.astype(end.dtype) * end**2
        ) / 2

    @door
    def price_of_anarchy(
        self, horizon: Scalar | float | None = None, play: AbstractPlay | None = None
    ) -> Scalar:
        """The cost of playing over that of a planner, >= 1: (P^2 + q)/(2 P sqrt q) for infinite horizons.

        Without drift and a horizon it is 1.06066 in open loop and 1.15470 in feedback for N = 2.
        Raises ValueError as `cost` does, and for a game without costs, where nobody pays anything.
        """
        best = self.cost(horizon, Planner())
        message = (
            "expected costs, got none: a game of running and terminal 0, or of no time; raise one."
        )
        return self.cost(horizon, _known(play)) / guard(best, best > 0, message)

    @door
    def play(
        self,
        x0: Float[Array, "models *shape"],
        ts: Float[Array, " times"],
        play: AbstractPlay | None = None,
    ) -> Float[Array, "times models *shape"]:
        """Where all models are at `ts`, the last of which is the horizon, from x0 at ts[0].

        x0 [N, n] are increasing quantiles, or [N, d] means of Gaussians of one covariance.
        """
        x0, ts = check_start(x0, self.players), check_finite(ts, "ts")
        ts = guard(ts, (jnp.diff(ts) >= 0).all(), "expected increasing times ts; sort them.")
        passed = ts - ts[0]
        share, middle = self.remaining(passed, passed[-1], play), x0.mean(axis=0)
        spread = lambda a: a.reshape(-1, *[1] * x0.ndim).astype(x0.dtype)
        return spread(jnp.exp(self.drift.astype(ts.dtype) * passed)) * middle + spread(share) * (
            x0 - middle
        )

    @door
    def costs(
        self,
        x0: Float[Array, "models *shape"],
        horizon: Scalar | float | None = None,
        play: AbstractPlay | None = None,
        *,
        quantiles: bool = True,
    ) -> Float[Array, " models"]:
        """J_i of each model, from x0 as in `play`: who pays.

        Quantiles count by their mean, the coordinates of means (`quantiles=False`) by their sum.
        Raises ValueError for quantiles that do not increase.
        """
        x0 = check_start(x0, self.players)
        x0 = check_quantiles(x0) if quantiles else x0
        square = (x0 - x0.mean(axis=0)).reshape(self.players, -1) ** 2
        each = square.mean(axis=1) if quantiles else square.sum(axis=1)
        return self.cost(horizon, play).astype(x0.dtype) * each

    def _left(self, t, horizon) -> Float[Array, "*times"]:
        """The time that is left, if it is not negative."""
        t = check_finite(check_scalar(t, "t") if jnp.ndim(t) == 0 else t, "t")
        horizon = check_nonnegative(horizon, "horizon").astype(t.dtype)
        message = "expected t in [0, horizon], got a time outside; raise horizon."
        return guard(horizon - t, ((t >= 0) & (t <= horizon)).all(), message)

    def _path(self, play: AbstractPlay, dtype, horizon: Scalar | float = jnp.inf) -> "_Path":
        numbers = self.running, self.terminal, self.drift
        running, terminal, drift = (number.astype(dtype) for number in numbers)
        back, felt = play.returned(self.players), play.felt(self.players)
        pull = back * felt * running
        square = drift**2 + pull
        # Of short games all is analytic in the square of the rate, whose root has no slope at 0.
        horizon = jnp.asarray(horizon, dtype)
        short = square * horizon <= _SHORT / horizon
        rate = jnp.sqrt(jnp.where(short, 1, square))
        # rate - |drift| without cancellation.
        speed = jnp.where(drift >= 0, drift, -drift)
        large = rate + speed
        small = pull / jnp.where(large > 0, large, 1)
        ahead = drift >= 0
        up, down = jnp.where(ahead, large, small), jnp.where(ahead, small, large)
        rate = jnp.where(short, 0, rate)
        return _Path(back, drift, pull, back * felt * terminal, rate, up, down, short)


class _Path(NamedTuple):
    """The Riccati equation as a linear system, in the time s that is left.

    x' = y - drift x, y' = drift y + pull x, from x = 1, y = end: then b P = y/x. `rate` is that of
    growth, which is taken out, `up` and `down` are rate + drift and rate - drift; rate = 0 in a `short` game.
    """

    back: float
    drift: Scalar
    pull: Scalar
    end: Scalar
    rate: Scalar
    up: Scalar
    down: Scalar
    short: Bool[Array, ""]

    def at(self, s: Float[Array, "*times"]) -> tuple[Array, Array]:
        """x and y times e^{-rate s}: sums of numbers >= 0, which do not cancel."""
        some = jnp.where(self.short, 1, 2 * self.rate)
        decayed, ramp = jnp.exp(-2 * self.rate * s), -jnp.expm1(-some * s) / some
        mixed = lambda a, b: (a + b * decayed) / some
        x = mixed(self.down, self.up) + self.end * ramp
        y = self.end * mixed(self.up, self.down) + self.pull * ramp
        few = self._few(jnp.where(self.short, s, 0))
        return jnp.where(self.short, few[0], x), jnp.where(self.short, few[1], y)

    def _few(self, s: Float[Array, "*times"]) -> tuple[Array, Array]:
        """x and y of a short game: cosh r + M s sinh(r)/r of the matrix M, by powers of r^2 = (rate s)^2."""
        z = (self.drift**2 + self.pull) * s * s
        even = 1 + z / 2 * (1 + z / 12 * (1 + z / 30 * (1 + z / 56)))
        odd = s * (1 + z / 6 * (1 + z / 20 * (1 + z / 42 * (1 + z / 72))))
        x = even + (self.end - self.drift) * odd
        return x, self.end * even + (self.drift * self.end + self.pull) * odd


def _known(play: AbstractPlay | None) -> AbstractPlay:
    return OpenLoop() if play is None else play


def _quadrature() -> tuple[Array, Array]:
    """Nodes and weights of Gauss and Legendre on panels of [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    ends = np.append(0.0, 0.5 ** np.arange(_HALVINGS, 0, -1))
    lengths = np.diff(ends)[:, None]
    inner = (ends[:-1, None] + lengths * (nodes + 1) / 2).ravel()
    shares = (lengths * weights / 2).ravel()
    return jnp.asarray(np.append(inner, 1 - inner)), jnp.asarray(np.tile(shares, 2))
