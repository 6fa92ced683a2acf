from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from ..._checks import check_positive, check_scalar
from ..._typing import Points, Scalar
from ...attention.kernels import AbstractAttention
from ...geometry import AbstractGeometry, Sphere
from .._base import AbstractSharedNoise, check_cloud


class RandomValues(AbstractSharedNoise):
    """A transformer whose value matrices are drawn anew in each thin layer: noise that all tokens share.

    dx_i = P_{x_i} dW m_i - (s^2 (d-1)/2) |m_i|^2 x_i dt + pull P_{x_i} m_i dt,   m_i = attention(x)_i

    in the sense of Ito, where the d^2 entries of W are independent Brownian motions of variance s^2 t. It
    is the limit h -> 0 of layers x <- N(x + sqrt(h) V m) with entries of V of variance s^2
    (`RandomLayers` of `schemes`). Two tokens either merge or become antipodal: `RandomPair` of
    `landscape` says how often.

    - `geometry`: a sphere. `attention`: any with values in R^d.
    - `scale`: s > 0. `pull`: the mean of the value matrices, a number, over the step.

    The state is the cloud [n, d]; `simulate` needs `key` and `dt`, and takes geodesic Euler steps, of weak
    order 1. Raises ValueError for another geometry, scale <= 0, or another solver.
    Source: arXiv 2601.21942, whose scaling of beta may differ.
    """

    geometry: AbstractGeometry
    attention: AbstractAttention
    scale: Scalar = eqx.field(default=1.0, converter=lambda s: check_positive(s, "scale"))
    pull: Scalar = eqx.field(default=0.0, converter=lambda p: check_scalar(p, "pull"))

    def __check_init__(self):
        super().__check_init__()
        if not isinstance(self.geometry, Sphere):
            raise ValueError(
                f"expected a Sphere for random value matrices, got {self.geometry}; pass Sphere(d)."
            )

    def moments(self, t: Scalar, x: Points, args: Any) -> Points:
        return self.attention(x)

    def drift(self, t: Scalar, state: Points, args: Any) -> Points:
        pull = self.pull.astype(state.dtype)
        return self.geometry.extend(lambda x: pull * self.attention(x), state)

    def project(self, state: Points) -> Points:
        return self.geometry.project(state)

    def check(self, state) -> Float[Array, "n d"]:
        return check_cloud(self.geometry, None, state)
