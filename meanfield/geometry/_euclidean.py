from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_dimension, check_draws, check_points
from .._door import door
from .._typing import Key, Points, Vectors
from ._base import AbstractGeometry, of_points
from ._length import gap


class Euclidean(AbstractGeometry):
    """Flat space R^d, where projections are the identity.

    `Euclidean(2).sample(key, n)` draws from the standard normal law. The gradient of `distance(x, y)` at
    x = y, where it has none, is 0, and the Hessian of its square is 2 I.
    """

    d: int = eqx.field(static=True, converter=check_dimension)

    @of_points
    def project(self, x: Vectors) -> Vectors:
        return x

    @of_points
    def to_tangent(self, x: Vectors, v: Vectors) -> Vectors:
        return v

    @of_points
    def exp(self, x: Vectors, v: Vectors) -> Vectors:
        return x + v

    @of_points
    def log(self, x: Vectors, y: Vectors) -> Vectors:
        return y - x

    @of_points
    def transport(self, x: Vectors, v: Vectors, w: Vectors) -> Vectors:
        return w

    @of_points
    def mean_curvature(self, x: Vectors) -> Vectors:
        return jnp.zeros_like(x)

    @of_points
    def distance(self, x: Vectors, y: Vectors) -> Float[Array, "*batch"]:
        return gap(y - x)[..., 0]

    def sample(self, key: Key, n: int) -> Points:
        key, n = check_draws(key, n)
        return jax.random.normal(key, (n, self.d))

    def check(self, x, name: str = "x") -> Points:
        return check_points(x, self.d, name)

    @door
    def extend(
        self, field: Callable[[Points], Points], x: Float[Array, "n d"]
    ) -> Float[Array, "n d"]:
        return field(self.project(x))  # which holds their dimension
