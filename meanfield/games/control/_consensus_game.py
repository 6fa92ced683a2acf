from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_finite, check_integer, check_nonnegative, guard
from ..._typing import Clouds, Scalar
from ...dynamics import AbstractParticles
from ...dynamics.consensus import several_models
from ...geometry import AbstractGeometry
from ..equilibrium import AbstractGame, check_controls
from ._discords import AbstractDiscord, Matched, Quantiles
from ._interests import Interest, each_interest, interest
from ._steered import Steered, check_jumps, played

PathControls = Float[Array, "models times n d"]


class ConsensusGame(AbstractGame):
    """N models, each with its flow, that steer their clouds toward agreement at a cost of their own.

        x_i' = flow_i(x_i) + P u_i,
        J_i = int (mean |u_i|^2/2 + (running/2) D_i + E_i(x_i)) dt + (terminal/2) D_i(end) + F_i(x_i(end))

    D_i is the squared distance of model i to the barycenter of all, as `discord` has it, E_i and F_i are
    interests of its own, none by default, and P is the projection on tangent spaces. Controls [N, T, n, d]
    are those at the times ts [T], and linear between them: `nash(game, x0, ts)` and
    `planner(game, x0, ts)` find them, from x0 [N, n, d].

    - `flows`: one a model, on one geometry, without noise: `AttentionFlow(...)`, or
      `Drift(Euclidean(1), jax.numpy.zeros_like)` for models that only steer.
    - `running`, `terminal`: weights >= 0.
    - `discord`: `Quantiles()` on the line, the exact W2^2, by default; `Matched()`, where tokens correspond
      by number, in all other spaces; `Means()`. A distance that is not squared makes controls bang-bang.
    - `interests`, `terminal_interests`: E_i and F_i, one for all models or a list of one each: an energy,
      such as `2.0 * Potential(lambda x: x @ x)`; a function of a cloud [n, d]; or None. Energies of
      densities, such as `Entropy()`, are known on the line and the circle, of five tokens and more, with
      tokens as quantiles of equal masses: they keep tokens apart, and those that coincide have NaN.
    - `steps`: of the integrator between two of the times.

    On the line with flows x' = a x and no interests it is `LinearQuadratic`. A model with an interest
    c^2 |x|^2/2 alone, in a game of running = terminal = 0, is a regulator: u = -c tanh(c (T - t)) x.
    Raises ValueError for flows that do not fit together, interests that are not as many or not one number,
    and times between which one of the flows jumps.
    """

    flows: tuple[AbstractParticles, ...]
    running: Scalar = eqx.field(converter=lambda q: check_nonnegative(q, "running"))
    terminal: Scalar = eqx.field(converter=lambda g: check_nonnegative(g, "terminal"))
    discord: AbstractDiscord
    interests: tuple[Any, ...]
    terminal_interests: tuple[Any, ...]
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
        steps: int = 1,
    ):
        self.flows = _fitting(flows)
        self.running, self.terminal = running, terminal  # pyright: ignore[reportAttributeAccessIssue]
        line = self.flows[0].geometry.d == 1
        self.discord = (Quantiles() if line else Matched()) if discord is None else discord
        many = len(self.flows)
        self.interests = each_interest(interests, many, "interests")
        self.terminal_interests = each_interest(terminal_interests, many, "terminal_interests")
        self.steps = check_integer(steps, "steps")

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
        return jnp.zeros((len(x0), len(ts), *x0.shape[1:]), x0.dtype)

    def _run(self, controls, x0, ts) -> tuple[Clouds, Float[Array, " models"]]:
        """The clouds at the end, and what was spent; NaN where steps are too long or clouds too far."""
        controls = check_controls(controls, self.blank(x0, ts))
        ts = jnp.asarray(ts, controls.dtype)
        start = jnp.asarray(x0, controls.dtype), jnp.zeros(len(self.flows), controls.dtype)
        steered = Steered(self.flows, self.running, self.discord, self.interests, ts, controls)
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
