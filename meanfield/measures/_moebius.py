import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import check_direction, check_nonnegative, guard
from .._typing import Key, Points, Scalar
from ..geometry import Sphere
from ._base import AbstractMeasure

_TERMS = 2000


class MoebiusOrbit(AbstractMeasure):
    """The spherical Cauchy law: the uniform law of S^{d-1} under a conformal map, drawn towards `mean`.

        rho(x) = ((1 - r^2) / (1 - 2 r <mean, x> + r^2))^{d-1},    0 <= r < 1,

    a density with respect to the normalized uniform measure: r = 0 is uniform, r -> 1 a Dirac mass
    at `mean`, by default e_1. On the circle it is the wrapped Cauchy law. Linear attention
    (`Unnormalized(0)`) without noise moves the sphere by conformal maps, and so carries this family into
    itself: r' = (1 - r^2)/2 int <mean, x> rho(x) dx. r and mean may be traced.

    Samples are exact: uniform points u sent to (1 - r^2)(u + r mean)/|u + r mean|^2 + r mean. The
    entropy is a power series in r^2, to rounding for r <= .99 and to 1e-8 for every r.

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
        centre = self.r.astype(self.mean.dtype) * self.mean
        shifted = self.geometry.sample(key, n).astype(self.mean.dtype) + centre
        square = jnp.sum(shifted**2, axis=-1, keepdims=True)
        return self.geometry.project((1 - self.r**2) / square * shifted + centre)

    def log_density(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch"]:
        # 1 - 2 r t + r^2 = (1 - r)^2 + r |x - mean|^2, without cancellation near the mean.
        gap = jnp.sum((x - self.mean) ** 2, axis=-1)
        ratio = (1 - self.r) * (1 + self.r) / ((1 - self.r) ** 2 + self.r * gap)
        return (self.d - 1) * jnp.log(ratio)

    def entropy(self) -> Scalar:
        # Pulled back to u: log rho = (d - 1) log(|u + r mean|^2 / (1 - r^2)).
        powers = self.r ** (2 * jnp.arange(1, _TERMS + 1, dtype=self.r.dtype))
        mean_log = jnp.sum(jnp.asarray(_mean_log_series(self.d), self.r.dtype) * powers)
        return (self.d - 1) * (jnp.log1p(-(self.r**2)) - mean_log)


def _mean_log_series(d: int) -> np.ndarray:
    """f_j of E log|u + r e|^2 = sum_{j >= 1} f_j r^{2j} over uniform u, by the Laplacian.

    Laplacian log|x|^2 = 2(d - 2)/|x|^2, and the mean of |u + r e|^{-2} is 2F1(1, 2 - d/2; d/2; r^2).
    """
    j = np.arange(_TERMS)
    factors = (2 - d / 2 + j[:-1]) / (d / 2 + j[:-1])
    inverse_square = np.cumprod(np.concatenate([[1.0], factors]))
    return 2 * (d - 2) * inverse_square / ((2 * j + 2) * (2 * j + d))
