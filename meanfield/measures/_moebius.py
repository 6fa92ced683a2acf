import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import check_direction, check_draws, check_nonnegative, guard
from .._typing import Key, Points, Scalar, Vectors
from ..geometry import Sphere
from ._base import AbstractMeasure
from ._polar_grid import polar_grid


class MoebiusOrbit(AbstractMeasure):
    """The spherical Cauchy law: the uniform law of S^{d-1} under a conformal map, drawn towards `mean`.

        rho(x) = ((1 - r^2) / (1 - 2 r <mean, x> + r^2))^{d-1},    0 <= r < 1,

    a density with respect to the normalized uniform measure: r = 0 is uniform, r -> 1 a Dirac mass
    at `mean`, by default e_1. On the circle it is the wrapped Cauchy law. Linear attention
    (`Unnormalized(0)`) without noise moves the sphere by conformal maps, and so carries this family into
    itself: r' = (1 - r^2)/2 int <mean, x> rho(x) dx. r and mean may be traced.

    Samples are exact: uniform points u sent to (1 - r^2)(u + r mean)/|u + r mean|^2 + r mean. The
    entropy is a quadrature that is exact to rounding for every r.

    Raises ValueError if d < 2, r is not in [0, 1), or mean is not a unit vector of length d.
    Source: Kato and McCullagh, arXiv 1510.07679; Lipton, Mirollo, Strogatz, arXiv 1907.07150, for the
    flow.
    """

    geometry: Sphere
    r: Scalar
    mean: Float[Array, " d"]

    def __init__(
        self, d: int, r: Float[Array, ""] | float, mean: Float[Array, "..."] | None = None
    ):
        self.geometry = Sphere(d)
        r = check_nonnegative(r, "r")
        self.r = guard(r, r < 1, "expected r < 1, got the limit of a Dirac mass; pass r=.99, say.")
        self.mean = check_direction(
            jnp.eye(1, d, dtype=self.r.dtype)[0] if mean is None else mean, self.d
        )

    def sample(self, key: Key, n: int) -> Points:
        key, n = check_draws(key, n)
        centre = self.r.astype(self.mean.dtype) * self.mean
        shifted = self.geometry.sample(key, n).astype(self.mean.dtype) + centre
        square = jnp.sum(shifted**2, axis=-1, keepdims=True)
        return self.geometry.project((1 - self.r**2) / square * shifted + centre)

    def log_density(self, x: Vectors) -> Float[Array, "*batch"]:
        x = self.points(x)
        # 1 - 2 r t + r^2 = (1 - r)^2 + r |x - mean|^2, without cancellation near the mean.
        gap = jnp.sum((x - self.mean) ** 2, axis=-1)
        ratio = (1 - self.r) * (1 + self.r) / ((1 - self.r) ** 2 + self.r * gap)
        return (self.d - 1) * jnp.log(ratio)

    def entropy(self) -> Scalar:
        # Pulled back to u: log rho = (d - 1) log(|u + r mean|^2 / (1 - r^2)).
        return (self.d - 1) * _log_ratio(self.r, self.d)


def _log_ratio(r: Scalar, d: int) -> Scalar:
    """E log((1 - r^2)/|u + r e|^2) over uniform u, by the trapezoid rule in s for <u, e> = tanh s.

    The mean over u and -u is half the log of (1 + r^2)^2 - 4 r^2 tanh^2 s = (1 - r^2)^2 + 4 r^2 sech^2 s,
    whose zeros are no nearer to the real line than pi/2, as the poles of tanh, whatever r is.
    """
    s = polar_grid(d)
    log_sech = math.log(2) - np.logaddexp(s, -s)
    weights = np.exp((d - 1) * log_sech)
    weights = jnp.asarray(weights / weights.sum(), r.dtype)
    sech = jnp.asarray(np.exp(2 * log_sech), r.dtype)
    left, square = (1 - r) * (1 + r), r * r
    # Logs about 0, which keep their digits as such; and 1 - r^2 keeps its own near r = 1.
    less = jnp.where(square < 0.5, square, 0)
    near = jnp.log1p(-less) - weights @ jnp.log1p(less * (4 * sech + less - 2)) / 2
    far = jnp.log(left) - weights @ jnp.log(left**2 + 4 * square * sech) / 2
    return jnp.where(square < 0.5, near, far)
