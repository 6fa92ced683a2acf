from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import Array, Float

from .._memory import rows_at_once
from .._products import weighted_sum
from .._typing import Points, Scalar, Weights
from ..harmonics import AbstractBasis, Gegenbauer
from ..transport.costs import massive
from ._base import AbstractEnergy
from ._functions import check_function


class Pairwise(AbstractEnergy):
    """The energy of pairs: 1/2 iint k(x, y) dmu(x) dmu(y), for a symmetric kernel.

    `kernel` maps two points [d], [d] to a number. `Pairwise(lambda x, y: 0.5 * (x - y) @ (x - y))`
    draws a cloud to its mean. `Interaction` is the kernel of attention.

    Large clouds go, and are differentiated, some points at a time, in memory that does not grow as n^2.
    Raises ValueError for weights that do not fit, and for zonal densities (`Gegenbauer`).
    """

    kernel: Callable[[Float[Array, " d"], Float[Array, " d"]], Scalar]

    def __check_init__(self):
        check_function(self.kernel, "a kernel", "lambda x, y: (x - y) @ (x - y)")

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        x = massive(x, w)
        # A kernel may hold d numbers a pair.
        rows = rows_at_once(len(x), x.size, x.dtype.itemsize)
        if rows < len(x):
            each = _by_blocks(self.kernel, x, w, rows)
            return (each.mean() if w is None else weighted_sum(w, each)) / 2
        values = jax.vmap(jax.vmap(self.kernel, (None, 0)), (0, None))(x, x)
        if w is None:
            return values.mean() / 2
        return weighted_sum(w, jax.vmap(weighted_sum, (None, 0))(w, values)) / 2

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        """By the quadrature of the basis; ValueError for zonal densities, whose nodes are no cloud."""
        if isinstance(basis, Gegenbauer):
            raise ValueError(
                "expected Fourier or SphericalHarmonics, got Gegenbauer; use Interaction for a kernel "
                "of <x, y>."
            )
        rho = basis.synthesize(coeffs)
        return self._of_points(
            basis.points.astype(rho.dtype), basis.weights.astype(rho.dtype) * rho
        )


@eqx.filter_jit
def _by_blocks(kernel: Callable, x: Points, w: Weights | None, rows: int) -> Float[Array, " n"]:
    """The mean of k(x_i, y) over the cloud for each i, `rows` points at a time: computed again for a
    gradient."""

    @jax.checkpoint
    def row(point: Float[Array, " d"]) -> Scalar:
        values = jax.vmap(kernel, (None, 0))(point, x)
        return values.mean() if w is None else weighted_sum(w, values)

    return jax.lax.map(row, x, batch_size=rows)
