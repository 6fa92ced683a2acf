from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_callable, check_finite, check_integer, check_nonnegative, guard
from ..._typing import Clouds, Scalar
from ...dynamics import AbstractParticles
from ...dynamics.consensus import several_models
from ...geometry import AbstractGeometry
from ..equilibrium import AbstractGame, check_controls
from ._discords import AbstractDiscord, Matched, Quantiles
from ._interests import Interest, each_interest, interest
from ._numbers import numbers_of
from ._steered import Steered, check_jumps, played

PathControls = Float[Array, "models times ..."]


class ConsensusGame(AbstractGame):
    """N models, each with its flow, that steer their clouds toward agreement at a cost of their own.

        x_i' = flow_i(x_i) + P u_i,
        J_i = int (effort_i mean |u_i|^2/2 + (running/2) D_i + E_i(x_i)) dt + (terminal/2) D_i + F_i(x_i) at T

    D_i is the squared distance of model i to the barycenter of all, as `discord` has it, E_i and F_i are
    interests of its own, none by default, and P is the projection on tangent spaces. Controls [N, T, n, d]
    are those at the times ts [T], and linear between them: `nash(game, x0, ts)` and
    `planner(game, x0, ts)` find them, from x0 [N, n, d].

    With `where` models have numbers of their flows as controls instead, as in `steer`: a temperature, one
    direction for all tokens, the strength of a pull, the weights of a feedback. Controls [N, T, k] are added
    to them, k being the most that a model has (entries beyond stay 0), and mean |u_i|^2 is a sum of squares.

    - `flows`: one a model, on one geometry, without noise: `AttentionFlow(...)`, or
      `Drift(Euclidean(1), jax.numpy.zeros_like)` for models that only steer.
    - `running`, `terminal`: weights >= 0.
    - `discord`: `Quantiles()` on the line, the exact W2^2, by default; `Matched()`, where tokens correspond
      by number, in all other spaces; `Means()`. A distance that is not squared makes controls bang-bang.
    - `interests`, `terminal_interests`: E_i and F_i, one for all models or a list of one each: an energy,
      such as `2.0 * Potential(lambda x: x @ x)`; a function of a cloud [n, d]; or None. Energies of
      densities, such as `Entropy()`, are known on the line and the circle, of five tokens and more, with
      tokens as quantiles of equal masses: they keep tokens apart, and those that coincide have NaN.
    - `where`: what is steered, such as `lambda flow: flow.attention.beta`, for all models or a list of one
      each. Functions among `interests` are then those of a cloud and of the flow as it is steered.
    - `effort`: > 0, one for all or [N]. `constant`: one control for all times, [N, 1, ...].
    - `steps`: of the integrator between two of the times.

    On the line with flows x' = a x and no interests it is `LinearQuadratic`. A model with an interest
    c^2 |x|^2/2 alone, in a game of running = terminal = 0, is a regulator: u = -c tanh(c (T - t)) x.
    Raises ValueError for flows that do not fit together, interests that are not as many or not one number,
    a `where` that picks no real numbers, and times between which one of the flows jumps.
    """

    flows: tuple[AbstractParticles, ...]
    running: Scalar = eqx.field(converter=lambda q: check_nonnegative(q, "running"))
    terminal: Scalar = eqx.field(converter=lambda g: check_nonnegative(g, "terminal"))
    discord: AbstractDiscord
    interests: tuple[Any, ...]
    terminal_interests: tuple[Any, ...]
    where: tuple[Callable[[Any], Any], ...] | None
    effort: Float[Array, " models"]
    constant: bool = eqx.field(static=True)
    steps: int = eqx.field(static=True)

    def __init__(
        self,
        flows: Sequence[AbstractParticles],
        running: Scalar | float,
        terminal: Scalar | float,
        discord: AbstractDiscord | None = None,
        *,
        interests: Sequence[Interest] | Interest = None,
        terminal_interests: Sequence[Interest] | Interest = None,
        where: Sequence[Callable[[Any], Any]] | Callable[[Any], Any] | None = None,
        effort: Float[Array, " models"] | Sequence[float] | float = 1.0,
        constant: bool = False,
        steps: int = 1,
    ):
        self.flows = _fitting(flows)
        self.running, self.terminal = running, terminal  # pyright: ignore[reportAttributeAccessIssue]
        line = self.flows[0].geometry.d == 1
        self.discord = (Quantiles() if line else Matched()) if discord is None else discord
        many = len(self.flows)
        self.interests = each_interest(interests, many, "interests")
        self.terminal_interests = each_interest(terminal_interests, many, "terminal_interests")
        self.where = _places(self.flows, where)
        self.effort = _efforts(effort, many)
        self.constant, self.steps = constant, check_integer(steps, "steps")

    @property
    def geometry(self) -> AbstractGeometry:
        """The one that all flows share."""
        return self.flows[0].geometry

    def costs(
        self, controls: Float[Array, "..."], x0: Any, ts: Any = None
    ) -> Float[Array, " models"]:
        return self._paid(self._run(controls, x0, ts))

    def _paid(self, run: tuple[Clouds, Array]) -> Float[Array, " models"]:
        """All costs, from the clouds at the end and what was spent until then."""
        x, spent = run
        end, pairs = self.discord(self.geometry, x), zip(self.terminal_interests, x, strict=True)
        own = jnp.stack([interest(one, self.geometry, cloud) for one, cloud in pairs])
        return spent + self.terminal.astype(end.dtype) / 2 * end + own

    def final(
        self, controls: Float[Array, "..."], x0: Clouds, ts: Float[Array, " times"]
    ) -> Clouds:
        """The clouds [N, n, d] at the last of the times."""
        return self._run(controls, x0, ts)[0]

    def blank(self, x0: Any, ts: Any = None) -> PathControls:
        x0 = check_finite(x0, "x0")
        if x0.ndim != 3 or len(x0) != len(self.flows):
            raise ValueError(
                f"expected clouds x0 [{len(self.flows)}, n, d], one a flow, got {list(x0.shape)}; stack them."
            )
        for flow, cloud in zip(self.flows, x0, strict=True):
            flow.check(cloud)
        ts = check_finite([] if ts is None else ts, "ts")
        if ts.ndim != 1 or ts.shape[0] < 2:
            raise ValueError(
                f"expected at least two times ts, got shape {list(ts.shape)}; pass "
                "ts=jax.numpy.linspace(0.0, 1.0, 11)."
            )
        guard(ts, (jnp.diff(ts) > 0).all(), "expected increasing times ts; sort them.")
        for flow in self.flows:
            check_jumps(flow, ts)
        kind = x0.shape[1:]
        if self.where is not None:
            kind = (max(row.size for row, _ in self._rows()),)
        return jnp.zeros((len(x0), 1 if self.constant else len(ts), *kind), x0.dtype)

    def numbers(self, controls: Float[Array, "models times k"]) -> tuple[Any, ...]:
        """What controls add to the numbers of each model, as `where` returns them, with times first."""
        if self.where is None:
            raise ValueError("expected a game of numbers, got one of velocities; pass where=.")
        controls, rows = check_finite(controls, "controls"), self._rows()
        most = max(row.size for row, _ in rows)
        if controls.ndim != 3 or controls.shape[::2] != (len(rows), most):
            raise ValueError(
                f"expected controls [{len(rows)}, T, {most}], got {list(controls.shape)}; pass those of nash."
            )
        pairs = zip(controls, rows, strict=True)
        return tuple(jax.vmap(made)(u[:, : row.size].astype(row.dtype)) for u, (row, made) in pairs)

    def _rows(self) -> list[tuple[Array, Callable]]:
        """The numbers that are steered of each model, in a row, and what makes them of a row."""
        return [*map(numbers_of, self.flows, self.where or ())]

    def _run(self, controls, x0, ts) -> tuple[Clouds, Float[Array, " models"]]:
        """The clouds at the end, and what was spent; NaN where steps are too long or clouds too far."""
        controls = check_controls(controls, self.blank(x0, ts))
        ts = jnp.asarray(ts, controls.dtype)
        start = jnp.asarray(x0, controls.dtype), jnp.zeros(len(self.flows), controls.dtype)
        whole = jnp.broadcast_to(controls, (len(controls), len(ts), *controls.shape[2:]))
        wants = self.interests, self.effort, self.where
        steered = Steered(self.flows, self.running, self.discord, *wants, ts, whole)
        (x, spent), _, ok = played(steered, start, self.steps)
        final = self.geometry.project(x)
        return jnp.where(ok, final, jnp.nan), jnp.where(ok, spent, jnp.nan)


def _fitting(flows: Sequence[AbstractParticles]) -> tuple[AbstractParticles, ...]:
    flows = several_models(flows)
    if any(flow.noise is not None or flow.weights is not None for flow in flows):
        raise ValueError(
            "expected flows without noise or weights, got some; leave out noise and weights."
        )
    return flows


def _places(flows: Sequence[AbstractParticles], where: Any) -> tuple[Callable, ...] | None:
    """What is steered of each flow, if it is there."""
    if where is None:
        return None
    each = tuple(where) if isinstance(where, list | tuple) else (where,) * len(flows)
    if len(each) != len(flows):
        raise ValueError(
            f"expected where of {len(flows)} flows, got {len(each)}; pass one function, or one for each."
        )
    remedy = "pass where=lambda flow: flow.attention.beta"
    each = tuple(check_callable(one, "where", remedy) for one in each)
    for flow, one in zip(flows, each, strict=True):
        numbers_of(flow, one)
    return each


def _efforts(effort: Any, players: int) -> Float[Array, " models"]:
    effort = check_finite(effort, "effort")
    if effort.shape not in ((), (players,)):
        raise ValueError(
            f"expected effort of {players} models, got shape {list(effort.shape)}; pass one number, or "
            "one for each."
        )
    message = "expected effort > 0, got 0 or less; pass effort=1.0."
    return jnp.broadcast_to(guard(effort, (effort > 0).all(), message), (players,))
