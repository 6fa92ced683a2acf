import abc
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from ..._door import AbstractChecked
from ..._hooks import default
from ..._typing import Masses, Outputs, Points, Sources
from ...harmonics import AbstractBasis


class AbstractAttention(AbstractChecked):
    """The ambient field that m weighted tokens y cause at n points x.

    `attention(x)` is self-attention; `attention(x, y, w)` is cross attention with masses w of sum 1
    (uniform by default). The result is a vector of R^d a point, not yet projected on a tangent space.
    """

    EXAMPLE = "Softmax(1.0)"

    @abc.abstractmethod
    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        """The field at the rows of x, [n, d]."""

    @default
    def solved(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> Bool[Array, ""] | None:
        """Whether the iterations behind the field reach their tolerance; None, by default, where there
        are none. Where they do not, the field is NaN."""
        return None


class AbstractDensityAttention(AbstractAttention):
    """An attention that a density on the sphere, in harmonics, can feel too."""

    @default
    def tabulated(self, basis: AbstractBasis, dtype: DTypeLike) -> "AbstractDensityAttention":
        """The same for densities in this basis and precision, with all that no density changes computed
        once, for the many times of a run: itself, by default."""
        return self

    @abc.abstractmethod
    def mean_field(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Float[Array, "q ..."]:
        """The tangent field that a density causes at the nodes of a basis, as `basis.node_gradient`.

        `coeffs` are those of the density. Raises ValueError for an attention that is not symmetric
        under rotations: with a query, a key, a mask, or a value that is no multiple of the identity.
        """

    @abc.abstractmethod
    def attraction(
        self, basis: AbstractBasis, coeffs: Float[Array, " k"], x: Float[Array, "m ..."]
    ) -> Float[Array, " m"]:
        """The function whose gradient is `mean_field`, at coordinates x as `basis.evaluate` takes."""


def in_blocks(of_queries: Callable[[Int[Array, " size"]], Array], n: int, size: int) -> Array:
    """What `of_queries` makes of the numbers 0 ... n - 1, at most `size` at a time and as evenly as may
    be: computed again for a gradient."""
    if size >= n:
        return of_queries(jnp.arange(n))
    blocks = -(-n // size)
    size = -(-n // blocks)
    # The last block is filled up with the last query.
    numbers = jnp.minimum(jnp.arange(blocks * size), n - 1).reshape(blocks, size)
    found = jax.lax.map(jax.checkpoint(of_queries), numbers)
    return found.reshape(blocks * size, *found.shape[2:])[:n]
