import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_weights
from ..._memory import dense_is_quick
from ..._products import exact_products, row_sums
from ..._typing import Masses, Matrix, Outputs, Points, Sources
from ...transport.costs import massive
from ..engines import apply_matrix, check_matrix, check_tokens
from ._base import AbstractAttention, in_blocks

BLOCK = 256
"""Queries a block."""


class AbstractPairwise(AbstractAttention):
    """Attention by a kernel of pairs: a final class writes one method, `kernel`.

        field(x_i) = sum_j w_j k(x_i, y_j) V y_j

    Where the n x m matrix is large it is built, and differentiated, a block of queries at a time. There
    is no normalization: a kernel that needs one divides its rows. Densities are refused, for a kernel
    says nothing of a mean field.
    """

    value: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "value"))

    @abc.abstractmethod
    def kernel(self, x: Points, y: Sources) -> Float[Array, "n m"]:
        """k(x_i, y_j) of all pairs: a row must depend on its own query alone."""

    @exact_products
    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        x = check_tokens(x, "x")
        y = x if y is None else check_tokens(y, "y")
        n, m = len(x), len(y)
        w = jnp.full((m,), 1 / m, x.dtype) if w is None else check_weights(w, m).astype(x.dtype)
        y = massive(y, w)
        moved = w[:, None] * apply_matrix(self.value, y, "value")
        if dense_is_quick(n, m, x.dtype.itemsize):
            return row_sums(self.kernel(x, y), moved)
        return _by_blocks(self, x, y, moved)


@eqx.filter_jit
def _by_blocks(
    attention: AbstractPairwise, x: Points, y: Sources, moved: Float[Array, "m e"]
) -> Outputs:
    """The field, a block of queries at a time."""
    return in_blocks(lambda i: row_sums(attention.kernel(x[i], y), moved), len(x), BLOCK)
