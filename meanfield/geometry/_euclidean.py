from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_dimension, check_points
from .._typing import Key, Points
from ._base import AbstractGeometry


class Euclidean(AbstractGeometry):
    """Flat space R^d, where projections are the identity.

    `Euclidean(2).sample(key, n)` draws from the standard normal law.
    """

    d: int = eqx.field(static=True, converter=check_dimension)

    def project(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
        return x

    def to_tangent(
        self, x: Float[Array, "*batch d"], v: Float[Array, "*batch d"]
    ) -> Float[Array, "*batch d"]:
        return v

    def exp(
        self, x: Float[Array, "*batch d"], v: Float[Array, "*batch d"]
    ) -> Float[Array, "*batch d"]:
        return x + v

    def log(
        self, x: Float[Array, "*batch d"], y: Float[Array, "*batch d"]
    ) -> Float[Array, "*batch d"]:
        return y - x

    def distance(
        self, x: Float[Array, "*batch d"], y: Float[Array, "*batch d"]
    ) -> Float[Array, "*batch"]:
        return jnp.linalg.norm(y - x, axis=-1)

    def sample(self, key: Key, n: int) -> Points:
        return jax.random.normal(key, (n, self.d))

    def check(self, x, name: str = "x") -> Points:
        return check_points(x, self.d, name)

    def extend(
        self, field: Callable[[Points], Points], x: Float[Array, "n d"]
    ) -> Float[Array, "n d"]:
        return field(x)
