import jax.numpy as jnp
from jaxtyping import Array, Float

from .._typing import Key, Points, Scalar, Vectors
from ..geometry import Sphere
from ._base import AbstractMeasure


class Uniform(AbstractMeasure):
    """The uniform law on S^{d-1}: density 1, log density 0, entropy 0.

    Raises ValueError if d < 2.
    """

    geometry: Sphere

    def __init__(self, d: int):
        self.geometry = Sphere(d)

    def sample(self, key: Key, n: int) -> Points:
        return self.geometry.sample(key, n)

    def log_density(self, x: Vectors) -> Float[Array, "*batch"]:
        x = self.points(x)
        return 0 * x.sum(axis=-1)  # NaN where x is none

    def entropy(self) -> Scalar:
        return jnp.zeros(())
