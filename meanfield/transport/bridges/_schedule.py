import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_finite, check_positive, guard
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar


class BestSchedule(AbstractShown):
    """When to be where along a map, so that the velocity field has the least Lipschitz constant.

    `lipschitz`, the constant, reached at all times; `straight`, that of straight time tau(s) = s;
    `switch`, the tau until which the largest stretch sets the pace, the smallest after it.
    `schedule(s)` is tau in [0, 1] at the times s in [0, 1].
    """

    low: Scalar
    high: Scalar
    lipschitz: Scalar
    straight: Scalar
    switch: Scalar

    @door
    def __call__(self, s: Float[Array, "*times"] | float) -> Float[Array, "*times"]:
        """tau at the times s, which are clipped to [0, 1]."""
        s = jnp.clip(check_finite(s, "s"), 0, 1).astype(self.low.dtype)
        grown, shrunk = self.high - 1, 1 - self.low
        first = jnp.log1p(jnp.maximum(grown, 0) * self.switch)
        before = jnp.expm1(self.lipschitz * s) / jnp.where(grown > 0, grown, 1)
        # Backward from the end: 1 - shrunk tau = low e^{lipschitz (1 - s)}.
        left = self.low * jnp.exp(self.lipschitz * (1 - s))
        after = (1 - left) / jnp.where(shrunk > 0, shrunk, 1)
        moving = jnp.where(self.lipschitz * s <= first, before, after)
        return jnp.where(self.lipschitz == 0, s, moving)


@door
def best_schedule(low: Scalar | float, high: Scalar | float) -> BestSchedule:
    """The schedule tau(s) of T_s = (1 - tau(s)) id + tau(s) T whose velocities are least steep.

        L(tau) = max((high - 1)/(1 + (high - 1) tau), (1 - low)/(1 - (1 - low) tau))
        tau' L(tau) = int_0^1 L = log(1 + (high - 1) c) + log((1 - (1 - low) c)/low)
        c = (high + low - 2)/(2 (high - 1)(1 - low)), clipped to [0, 1]

    for a map T, the gradient of a convex function, whose derivative has eigenvalues from `low` to
    `high`: L is the Lipschitz constant of the velocity, as a function of the place, in straight time.
    A constant pace of log-stretch is best, since the integral of L is what every schedule pays.
    [.1, 10] takes 3.409496 in place of 9.

    Raises ValueError unless 0 < low <= high.
    Source: derived here, after Tsimpos, Ren, Zech, Marzouk, arXiv 2504.14425.
    """
    remedy = "pass the extreme eigenvalues of the derivative of the map"
    least = check_positive(low, "low", remedy)
    most = check_positive(high, "high", remedy).astype(least.dtype)
    fits = least <= most
    guard(least, fits, f"expected low <= high, got {low} > {high}; swap them.")
    least = jnp.where(fits & (least > 0), least, jnp.nan)
    grown, shrunk = jnp.maximum(most - 1, 0), jnp.maximum(1 - least, 0)
    both = grown * shrunk > 0
    even = (grown - shrunk) / jnp.where(both, 2 * grown * shrunk, 1)
    switch = jnp.where(
        both, jnp.clip(even, 0, 1), jnp.where(grown > 0, 1.0, 0.0).astype(least.dtype)
    )
    shortest = jnp.log1p(grown * switch)
    # Not log(1 - shrunk), where a small `low` is lost.
    shortest += jnp.log1p(-shrunk * switch) - jnp.log(jnp.minimum(least, 1))
    straight = jnp.maximum(grown, jnp.maximum(1 / least - 1, 0))
    return BestSchedule(least, most, shortest, straight, switch)
