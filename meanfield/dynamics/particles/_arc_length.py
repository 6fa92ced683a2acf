from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._checks import check_instance, check_nonnegative
from ..._products import weighted_sum
from ..._typing import Scalar, Weights
from ...geometry import AbstractGeometry
from .._base import AbstractParticles, State, has_radii


class ArcLength(AbstractParticles):
    """A flow run at constant speed, so that slow and fast phases take comparable time.

    dx/ds = speed * drift/|drift|,  dt/ds = speed/|drift|,  |v|^2 = sum_i w_i |v_i|^2

    The integration variable s is the length of the path in L^2 (Wasserstein length) over `speed`.
    The state is (x [n, d], t): the clock of the flow is its second part; a start x0 alone means
    t = 0. Metastable phases, which last e^beta in t, cost a few steps. At a stationary point the path
    ends, and so does the meaning of s: use `merge` or stop before.

    Raises ValueError if the flow has noise or radii.
    Source: Geshkovski, Koubbi, Polyanskiy, Rigollet, arXiv 2410.06833, section 5 (rescaled time).
    """

    flow: AbstractParticles
    speed: Scalar = eqx.field(default=1.0, converter=lambda a: check_nonnegative(a, "speed"))

    def __check_init__(self):
        remedy = "pass AttentionFlow(Sphere(3), Softmax(1.0)), for instance"
        check_instance(self.flow, AbstractParticles, "a flow of tokens", remedy)
        if self.flow.noise is not None:
            raise ValueError("expected a flow without noise, got noise > 0; use noise=0.")
        if has_radii(self.flow):
            raise ValueError("expected a flow without radii; use PostNorm() inside ArcLength.")

    @property
    def geometry(self) -> AbstractGeometry:
        return self.flow.geometry

    @property
    def weights(self) -> Weights | None:
        return self.flow.weights

    @property
    def noise(self) -> None:
        return None

    def drift(self, t: Scalar, state: State, args: Any) -> State:
        x, clock = state
        velocity = self.flow.drift(clock, x, args)
        square = jnp.sum(velocity**2, axis=-1)
        mean = (
            square.mean()
            if self.weights is None
            else weighted_sum(self.weights.astype(x.dtype), square)
        )
        rate = self.speed.astype(x.dtype) / jnp.sqrt(mean)
        if self.weights is not None:
            # Once all have merged the path has ended: what is left of the drift is rounding.
            rate = jnp.where((self.weights > 0).sum() > 1, rate, 0)
        return rate * velocity, rate

    def project(self, state: State) -> State:
        return self.flow.project(state[0]), state[1]

    def solved(self, t: Scalar, state: State, args: Any) -> Bool[Array, ""] | None:
        return self.flow.solved(state[1], state[0], args)

    def check(self, state: Any) -> State:
        x, clock = state if isinstance(state, tuple) else (state, None)
        x = self.flow.check(x)
        return x, jnp.zeros((), x.dtype) if clock is None else clock

    def jumps(self) -> Float[Array, " jumps"] | None:
        if self.flow.jumps() is not None:
            raise ValueError(
                "expected a flow without jumps inside ArcLength; integrate it in time."
            )
        return None

    def reweight(self, weights: Weights) -> "ArcLength":
        flow = self.flow.reweight(weights)
        return ArcLength(flow, self.speed)
