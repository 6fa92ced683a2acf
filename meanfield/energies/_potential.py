from collections.abc import Callable

import jax
from jaxtyping import Array, Float

from .._products import weighted_sum
from .._typing import Points, Scalar, Weights
from ..harmonics import AbstractBasis
from ..transport.costs import massive
from ._base import AbstractEnergy
from ._functions import check_function


class Potential(AbstractEnergy):
    """The energy of an external potential V: int V dmu.

    `function` maps one point [d] to a number; its gradient flow is x' = -grad V(x).
    `Potential(lambda x: -kappa * x[0])` draws tokens toward e_1.

    Raises ValueError, when called, for a function with several values a point.
    """

    function: Callable[[Float[Array, " d"]], Scalar]

    def __check_init__(self):
        check_function(self.function, "a potential", "lambda x: x[0] ** 2 / 2")

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        values = self._at(massive(x, w))
        return values.mean() if w is None else weighted_sum(w, values)

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        values = self._at(basis.points.astype(coeffs.dtype))
        return basis.analyze(values) @ coeffs

    def _at(self, points: Points) -> Float[Array, " n"]:
        values = jax.vmap(self.function)(points)
        if values.size != points.shape[0]:
            raise ValueError(
                f"expected a potential with one value a point, got {list(values.shape[1:])}; "
                "return a number, such as x[0] ** 2 / 2 or (x @ x) / 2."
            )
        return values.reshape(-1)  # x ** 2 / 2 on the line is one number too
