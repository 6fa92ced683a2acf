import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_finite, check_nonnegative, guard
from ..._door import AbstractChecked, door
from ..._typing import Clouds, Points, Scalar, Weights
from ...observables import smoothed_entropy

Gates = Float[Array, "..."]
"""One factor for all models, or one a model [N]."""


class AbstractGate(AbstractChecked):
    """When a pull acts: a factor in [0, 1], of the time, the clouds and their own velocities."""

    @abc.abstractmethod
    def __call__(
        self,
        t: Scalar,
        x: Clouds,
        velocity: Clouds,
        masses: Float[Array, "models n"] | None = None,
    ) -> Gates:
        """The factor, one for all models or one a model [N]; `masses` None for equal ones."""

    @abc.abstractmethod
    def jumps(self) -> Float[Array, " jumps"] | None:
        """The times at which it jumps; None if never."""


class Early(AbstractGate):
    """Open until a time, closed after it: a pull in the early, diffusive phase alone."""

    until: Scalar = eqx.field(converter=lambda t: check_nonnegative(t, "until"))

    def __call__(self, t, x, velocity, masses=None):
        t = jnp.asarray(t)
        return jnp.where(t < self.until.astype(t.dtype), 1, 0).astype(x.dtype)

    def jumps(self) -> Float[Array, " jumps"]:
        return self.until[None]


def _entropy(x: Points, w: Weights | None = None) -> Scalar:
    return smoothed_entropy(x, 8.0, w)


class NearSaddles(AbstractGate):
    """Open while a model lingers, closed while its entropy changes fast.

        gate_i = 1 / (1 + (dH_i/dt / rate)^2),    dH_i/dt along the model's own velocity

    Saddles of the entropy, where models linger (the uniform cloud, several clusters), are where a small
    pull decides which way they leave. `rate` is the |dH/dt| at which the gate is half open; H is
    `functional(x, w)` of one cloud x [n, d] and its masses w [n], None for equal ones, by default
    `observables.smoothed_entropy(x, 8.0, w)`. Open for clusters at rest too: `landscape.AtSaddles` is not.
    """

    rate: Scalar = eqx.field(converter=lambda r: _check_rate(r))
    functional: Callable[[Points, Weights | None], Scalar] = eqx.field(default=_entropy)

    @door
    def __call__(self, t: Scalar, x: Clouds, velocity: Clouds, masses=None):
        def speed(x, v, w):
            return jax.jvp(lambda x: self.functional(x, w), (x,), (v,))[1]

        speeds = jax.vmap(speed)(x, velocity, masses)
        return 1 / (1 + (speeds / self.rate.astype(x.dtype)) ** 2)

    def jumps(self) -> None:
        return None


def _itself(args):
    return args


class Schedule(AbstractChecked):
    """A strength that is piecewise linear in time, with its values at `times` in the run's `args`.

    `ConsensusFlow(flows, Schedule(times))` with `simulate(..., args=values)`; differentiate by `values`
    [k]. Constant before the first time and after the last. Where `args` hold more, `pick(args)` is
    the values.

    Raises ValueError for times that do not increase.
    """

    times: Float[Array, " k"] = eqx.field(converter=lambda t: _check_times(t))
    pick: Callable[[Any], Float[Array, " k"]] = eqx.field(default=_itself)

    def __call__(self, t: Scalar, args: Any) -> Scalar:
        values = self.pick(args)
        if jnp.shape(values) != self.times.shape:
            raise ValueError(
                f"expected {self.times.shape[0]} values of the schedule in args, got shape "
                f"{list(jnp.shape(values))}; pass args=values to simulate, one a time."
            )
        t = jnp.asarray(t, jnp.result_type(t, float))
        return jnp.interp(t, self.times.astype(t.dtype), values.astype(t.dtype))


def _check_rate(rate) -> Scalar:
    rate = check_nonnegative(rate, "rate")
    return guard(rate, rate > 0, "expected rate > 0, got 0; pass a typical |dH/dt|, such as 0.1.")


def _check_times(times) -> Float[Array, " k"]:
    times = check_finite(times, "times")
    if times.ndim != 1 or times.shape[0] < 2:
        raise ValueError(
            f"expected at least two times, got shape {list(times.shape)}; "
            "pass times=jax.numpy.linspace(0.0, t_end, 9)."
        )
    return guard(times, (jnp.diff(times) > 0).all(), "expected increasing times; sort them.")
