from typing import cast

import equinox as eqx
import jax
from jaxtyping import Array, Bool, Float

from ..._checks import check_instances
from ..._hooks import all_of
from ..._typing import Points
from ...harmonics import AbstractBasis
from ..closures import AffineField, GaussianAttention
from ._base import AbstractAttention, AbstractDensityAttention


class MultiHead(AbstractDensityAttention):
    """Several attentions at once: the sum of their fields.

    field(x) = sum_h field_h(x), where each head's `value` [d, d] holds the product of its value and
    output matrices. `MultiHead([Softmax(1.0, q, k, v) for q, k, v in heads])`.

    Raises ValueError if there is no head.
    """

    heads: tuple[AbstractAttention, ...] = eqx.field(converter=lambda h: _check_heads(h))

    def __call__(
        self, x: Points, y: Float[Array, "m d"] | None = None, w: Float[Array, " m"] | None = None
    ) -> Float[Array, "n e"]:
        first, *rest = fields = [head(x, y, w) for head in self.heads]
        if len({field.shape for field in fields}) > 1:
            raise ValueError(
                f"expected heads into one space, got fields in R^d for d = "
                f"{[field.shape[1] for field in fields]}; give every value as many rows."
            )
        return sum(rest, start=first)

    def solved(
        self, x: Points, y: Float[Array, "m d"] | None = None, w: Float[Array, " m"] | None = None
    ) -> Bool[Array, ""] | None:
        return all_of(head.solved(x, y, w) for head in self.heads)

    def mean_field(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Float[Array, "q ..."]:
        first, *rest = (head.mean_field(basis, coeffs) for head in self._of_densities())
        return sum(rest, start=first)

    def attraction(
        self, basis: AbstractBasis, coeffs: Float[Array, " k"], x: Float[Array, "m ..."]
    ) -> Float[Array, " m"]:
        first, *rest = (head.attraction(basis, coeffs, x) for head in self._of_densities())
        return sum(rest, start=first)

    def _of_densities(self) -> tuple[AbstractDensityAttention, ...]:
        """The heads, which `check_isotropic` has asked for a mean field."""
        return cast(tuple[AbstractDensityAttention, ...], self.heads)

    def gaussian_field(self, mean: Float[Array, " d"], cov: Float[Array, "d d"]) -> AffineField:
        """The field of a Gaussian cloud, affine if that of each head is; ValueError otherwise."""
        heads = [head for head in self.heads if isinstance(head, GaussianAttention)]
        if len(heads) < len(self.heads):
            raise ValueError(
                "expected heads that keep a Gaussian cloud Gaussian, such as Softmax, L2 and Sinkhorn, "
                "got another; simulate the particles with AttentionFlow."
            )
        first, *rest = (head.gaussian_field(mean, cov) for head in heads)
        return jax.tree.map(lambda *parts: sum(parts[1:], start=parts[0]), first, *rest)


def _check_heads(heads) -> tuple[AbstractAttention, ...]:
    """A tuple of attentions, of which there is one or more."""
    remedy = "pass MultiHead([Softmax(1.0)])"
    return tuple(check_instances(heads, AbstractAttention, "attentions for heads", remedy))
