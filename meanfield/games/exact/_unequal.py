from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import as_array, check_finite, check_positive, check_scalar, check_weights, guard
from ..._door import AbstractChecked, door
from ..._typing import Scalar
from ...dynamics import AbstractDynamics
from ...solve import simulate
from ._plays import AbstractPlay, Feedback, OpenLoop, Planner
from ._starts import check_start

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
    of share 0 follows, and in Nash changes nothing for others.

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
        return _backward(self, _times(ts), _known(play))[0]

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
        steps = _backward(self, _times(ts).astype(x0.dtype), _known(play))[2]

        def move(x, step):
            x = jnp.tensordot(step, x, 1)
            return x, x

        path = jax.lax.scan(move, x0, steps)[1]
        return jnp.concatenate([x0[None], path])

    @door
    def costs(
        self,
        x0: Float[Array, "models *shape"],
        horizon: Scalar | float,
        play: AbstractPlay | None = None,
        *,
        quantiles: bool = True,
    ) -> Float[Array, " models"]:
        """J_i of each model: who pays.

        Quantiles count by their mean, the coordinates of means (`quantiles=False`) by their sum.
        """
        x0 = check_start(x0, len(self.running))
        end = check_positive(horizon, "horizon", "pass horizon=1.0").astype(x0.dtype)
        values = _backward(self, jnp.stack([jnp.zeros_like(end), end]), _known(play))[1][0]
        flat = x0.reshape(len(x0), -1)
        each = jnp.einsum("ijk,jn,kn->in", values, flat, flat) / 2
        return each.mean(axis=1) if quantiles else each.sum(axis=1)


class _Riccati(AbstractDynamics):
    """Values S, gains K and the way of the models to the horizon, per length of an interval left."""

    game: UnequalLinearQuadratic
    kind: AbstractPlay

    def drift(self, t: Scalar, state: tuple, args: Any) -> tuple:
        values, gains, way = state
        dtype = values.dtype
        drift, running = self.game.drift.astype(dtype), self.game.running.astype(dtype)
        used = gains_of(self.kind, values, gains)
        closed = drift * jnp.eye(len(running), dtype=dtype) - used
        rows = _away(self.game, dtype)
        paid = jnp.einsum("i,ij,ik->ijk", running, rows, rows) + used[:, :, None] * used[:, None]
        grown = jnp.swapaxes(closed, 0, 1) @ values + values @ closed + paid
        pull = _felt(self.game, running, self.kind, dtype)
        gained = 2 * drift * gains - gains @ gains + pull
        return jax.tree.map(lambda rate: args * rate, (grown, gained, way @ closed))

    def check(self, state: Any) -> Any:
        return state


def gains_of(kind: AbstractPlay, values: Array, gains: Array) -> Array:
    """Row i of S_i in feedback, where the other gains are not used."""
    own = jnp.einsum("iij->ij", values)
    return own if isinstance(kind, Feedback) else gains


def _away(game: UnequalLinearQuadratic, dtype) -> Float[Array, "models models"]:
    n = len(game.running)
    shares = jnp.full(n, 1 / n, dtype) if game.shares is None else game.shares.astype(dtype)
    return jnp.eye(n, dtype=dtype) - shares


def _felt(game: UnequalLinearQuadratic, weights: Array, kind: AbstractPlay, dtype) -> Array:
    """What drives the gains: in Nash each feels its own distance, that its own moves share in."""
    rows = _away(game, dtype)
    if isinstance(kind, Planner):
        return rows.T @ (weights[:, None] * rows)
    return (weights * jnp.diag(rows))[:, None] * rows


@eqx.filter_jit
def _backward(game: UnequalLinearQuadratic, ts: Float[Array, " times"], kind: AbstractPlay):
    """Gains and values at `ts`, and the matrices that lead from each to the next."""
    dtype = ts.dtype
    rows, terminal = _away(game, dtype), game.terminal.astype(dtype)
    values = jnp.einsum("i,ij,ik->ijk", terminal, rows, rows)
    start = values, _felt(game, terminal, kind, dtype)
    still, whole = jnp.eye(len(terminal), dtype=dtype), jnp.asarray([0, 1], dtype)
    tol = max(1e-11, 64 * float(jnp.finfo(dtype).eps))

    def interval(state, length):
        run = simulate(
            _Riccati(game, kind), (*state, still), whole, args=length, tol=tol, throw=False
        )
        values, gains, way = jax.tree.map(lambda a: jnp.where(run.ok, a, jnp.nan), run.final)
        return (values, gains), (gains_of(kind, values, gains), values, way)

    back = jax.lax.scan(interval, start, jnp.diff(ts), reverse=True)[1]
    end = gains_of(kind, *start), start[0]
    gains, values = (jnp.concatenate([a, b[None]]) for a, b in zip(back[:2], end, strict=True))
    return gains, values, back[2]


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
