import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import as_array, check_finite, check_positive, check_scalar, check_weights, guard
from ..._door import AbstractChecked, door
from ..._typing import Scalar
from ._plays import AbstractPlay, Feedback, OpenLoop, Planner
from ._riccati import Riccati, backward, stationary
from ._starts import check_quantiles, check_start

Gains = Float[Array, "times models models"]


class UnequalLinearQuadratic(AbstractChecked):
    """`LinearQuadratic` for models that weigh the distance differently, and count differently.

        x_i' = drift x_i + u_i,    bar = sum_j w_j x_j
        J_i = int_0^T (|u_i|^2/2 + (running_i/2) |x_i - bar|^2) dt + (terminal_i/2) |x_i - bar|^2 at T

    for quantiles of clouds on the line, or means. Each model plays u_i = -sum_j K_ij x_j, with gains K of
    coupled Riccati equations in the time s that is left: with A = 1 - 1 w^T, of rows a_i,

        OpenLoop()   dK/ds = 2 drift K - K^2 + diag(running (1 - w)) A
        Planner()    dK/ds = 2 drift K - K^2 + A^T diag(running) A
        Feedback()   K_i = row i of S_i,  dS_i/ds = F^T S_i + S_i F + running_i a_i a_i^T + K_i^T K_i

    from the same with `terminal` at s = 0, where F = drift - K; x_0^T S_i x_0/2 is J_i in all three. They are
    integrated to 1e-11. A model of running and terminal 0 does not move, and leads those who do; one
    of share 0 follows, and in Nash changes nothing for others. Infinite horizons: `stationary_gains`, and
    `costs` without one.

    - `running`, `terminal` [N], N >= 2: weights >= 0 of the distances to the barycenter.
    - `shares` [N]: the weights w of the barycenter, of sum 1; equal by default. `drift` as there.

    Open-loop equilibria minimize a potential, weighted by w_i/(running_i (1 - w_i)) if terminal is in
    proportion to running, and exist for all times. Where gains grow beyond all bounds all is NaN.
    Raises ValueError for weights that are negative or do not fit.
    Source: Basar and Olsder, Dynamic Noncooperative Game Theory (1999), chapter 6.
    """

    running: Float[Array, " models"] = eqx.field(converter=lambda q: _check_each(q, "running"))
    terminal: Float[Array, " models"] = eqx.field(converter=lambda g: _check_each(g, "terminal"))
    shares: Float[Array, " models"] | None = eqx.field(
        default=None, converter=lambda w: None if w is None else as_array(w, "shares")
    )
    drift: Scalar = eqx.field(default=0.0, converter=lambda a: check_scalar(a, "drift"))

    def __check_init__(self):
        super().__check_init__()
        n = len(self.running)
        if n < 2 or self.terminal.shape != (n,):
            raise ValueError(
                f"expected running and terminal of one number a model, two or more, got {n} and "
                f"{len(self.terminal)}; pass arrays of one length."
            )
        if self.shares is not None:
            check_weights(self.shares, n, "shares")

    @door
    def gains(self, ts: Float[Array, " times"], play: AbstractPlay | None = None) -> Gains:
        """K [T, N, N] at `ts`, the last of which is the horizon."""
        return self._backward(_times(ts), play)[0]

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
        x0 = check_start(x0, len(self.running))
        steps = self._backward(_times(ts).astype(x0.dtype), play)[2]

        def move(x, step):
            x = jnp.tensordot(step, x, 1)
            return x, x

        path = jax.lax.scan(move, x0, steps)[1]
        return jnp.concatenate([x0[None], path])

    @door
    def stationary_gains(self, play: AbstractPlay | None = None) -> Float[Array, "models models"]:
        """K [N, N] of an infinite horizon: what `gains` of a game without `terminal` tend to.

        That is one of the solutions of the stationary equations. In feedback others may bring clouds together
        too if drift > 0, some doing what others leave: two equal models have three if 4 drift^2 > running.
        All is NaN if gains a little off do not come back to it, as in that case, and if it was not found.
        Raises ValueError without running costs, or with some of 0 where drift > 0.
        Source: Engwerda, LQ Dynamic Optimization and Differential Games (2005), chapters 7 and 8.
        """
        return self._endless(self.running.dtype, play)[0]

    @door
    def costs(
        self,
        x0: Float[Array, "models *shape"],
        horizon: Scalar | float | None = None,
        play: AbstractPlay | None = None,
        *,
        quantiles: bool = True,
    ) -> Float[Array, " models"]:
        """J_i of each model: who pays; without a horizon, for an infinite one, as `stationary_gains`.

        Quantiles count by their mean, the coordinates of means (`quantiles=False`) by their sum.
        Raises ValueError for quantiles that do not increase.
        """
        x0 = check_start(x0, len(self.running))
        x0 = check_quantiles(x0) if quantiles else x0
        if horizon is None:
            values = self._endless(x0.dtype, play)[1]
        else:
            end = check_positive(horizon, "horizon", "pass horizon=1.0").astype(x0.dtype)
            values = self._backward(jnp.stack([jnp.zeros_like(end), end]), play)[1][0]
        flat = x0.reshape(len(x0), -1)
        each = jnp.einsum("ijk,jn,kn->in", values, flat, flat) / 2
        return each.mean(axis=1) if quantiles else each.sum(axis=1)

    def _equations(self, dtype, play: AbstractPlay | None) -> Riccati:
        n = len(self.running)
        shares = jnp.full(n, 1 / n, dtype) if self.shares is None else self.shares.astype(dtype)
        rows = jnp.eye(n, dtype=dtype) - shares
        return Riccati(self.running.astype(dtype), rows, self.drift.astype(dtype), _known(play))

    def _backward(self, ts: Float[Array, " times"], play: AbstractPlay | None):
        equations = self._equations(ts.dtype, play)
        return backward(equations, self.terminal.astype(ts.dtype), ts)

    def _endless(self, dtype, play: AbstractPlay | None) -> tuple[Array, Array]:
        """Gains and values of an infinite horizon."""
        some = self.running > 0
        message = "expected running > 0 for an infinite horizon, got zeros; pass a horizon."
        guard(self.running, some.any(), message)
        message = (
            "expected running > 0 of all models where drift > 0, got some of 0; pass a horizon."
        )
        guard(self.running, some.all() | (self.drift <= 0), message)
        return stationary(self._equations(dtype, play))


def _check_each(weights, name: str) -> Float[Array, " models"]:
    weights = check_finite(weights, name)
    if weights.ndim != 1:
        raise ValueError(
            f"expected {name} of one number a model, got shape {list(weights.shape)}; pass an array, or "
            "LinearQuadratic(players, ...) for equal models."
        )
    message = f"expected {name} >= 0, got a negative number; pass {name}=jax.numpy.zeros(N)."
    return guard(weights, (weights >= 0).all(), message)


def _known(play: AbstractPlay | None) -> AbstractPlay:
    """Of the three kinds, as others say too little about models that are not alike."""
    play = OpenLoop() if play is None else play
    if not isinstance(play, OpenLoop | Feedback | Planner):
        raise ValueError(
            f"expected OpenLoop(), Feedback() or Planner(), got {type(play).__name__}; pass one of these."
        )
    return play


def _times(ts) -> Float[Array, " times"]:
    ts = check_finite(ts, "ts")
    if ts.ndim != 1 or ts.shape[0] < 2:
        raise ValueError(
            f"expected at least two times ts, got shape {list(ts.shape)}; pass "
            "ts=jax.numpy.linspace(0.0, 1.0, 11)."
        )
    return guard(ts, (jnp.diff(ts) > 0).all(), "expected increasing times ts; sort them.")
