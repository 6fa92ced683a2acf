from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._typing import Points, Scalar, Weights
from ..harmonics import AbstractBasis
from ._base import AbstractEnergy
from ._doors import check_cloud, check_coeffs, check_function, check_row
from ._quantiles import AbstractQuantiles


class Potential(AbstractEnergy):
    """The energy of an external potential V: int V dmu.

    `function` maps one point [d] to a number; its gradient flow is x' = -grad V(x).
    `Potential(lambda x: -kappa * x[0])` draws tokens toward e_1.

    Raises ValueError, when called, for a function with several values a point.
    """

    function: Callable[[Float[Array, " d"]], Scalar] = eqx.field(
        converter=lambda f: check_function(f, "a potential", "lambda x: x[0] ** 2 / 2")
    )

    def __call__(self, x: Points, w: Weights | None = None) -> Scalar:
        x, w = check_cloud(x, w)
        values = self._at(x)
        return values.mean() if w is None else values @ w

    def on_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        coeffs = check_coeffs(basis, coeffs)
        values = self._at(basis.points.astype(coeffs.dtype))
        return basis.analyze(values) @ coeffs

    def on_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        x = check_row(domain, x)
        return self(domain.points(x), jnp.asarray(domain.masses(x.shape[0]), x.dtype))

    def _at(self, points: Points) -> Float[Array, " n"]:
        values = jax.vmap(self.function)(points)
        if values.size != points.shape[0]:
            raise ValueError(
                f"expected a potential with one value a point, got {list(values.shape[1:])}; "
                "return a number, such as x[0] ** 2 / 2 or (x @ x) / 2."
            )
        return values.reshape(-1)  # x ** 2 / 2 on the line is one number too
