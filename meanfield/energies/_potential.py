from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._typing import Points, Scalar, Weights
from ..harmonics import AbstractBasis
from ._base import AbstractEnergy
from ._quantiles import AbstractQuantiles


class Potential(AbstractEnergy):
    """The energy of an external potential V: int V dmu.

    `function` maps one point [d] to a number; its gradient flow is x' = -grad V(x).
    `Potential(lambda x: -kappa * x[0])` draws tokens toward e_1.
    """

    function: Callable[[Float[Array, " d"]], Scalar]

    def __call__(self, x: Points, w: Weights | None = None) -> Scalar:
        values = jax.vmap(self.function)(x)
        return values.mean() if w is None else values @ w.astype(x.dtype)

    def on_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        values = jax.vmap(self.function)(basis.points.astype(coeffs.dtype))
        return basis.analyze(values) @ coeffs

    def on_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        return self(domain.points(x), jnp.asarray(domain.masses(x.shape[0]), x.dtype))
