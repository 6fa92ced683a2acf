from typing import cast

import equinox as eqx
import jax
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from ..._checks import check_instances, check_vector, shown
from ..._hooks import all_of
from ..._products import exact_products
from ..._typing import Masses, Matrix, Outputs, Points, Sources
from ...harmonics import AbstractBasis
from ..closures import AffineField, GaussianAttention
from ..engines import apply_matrix, check_matrix
from ._base import AbstractAttention, AbstractDensityAttention


class MultiHead(AbstractDensityAttention):
    """Several attentions at once: the sum of their fields.

        field(x) = sum_h O_h field_h(x) + b

    - `heads`: `MultiHead([Softmax(1.0, q, k, v) for q, k, v in heads])`, where without outputs each
      `value` [d, d] holds the product of a head's value and output matrices. Heads may share a key and
      a value (grouped queries): the same array twice takes no more memory.
    - `outputs`: the matrices O_h [d, e] of heads whose `value` is [e, d], one a head: the products
      [d, d] are never made. By default the identity.
    - `bias`: b [d], with that of the values in it: sum_h O_h b_h, since weights of softmax sum to one.

    Raises ValueError if there is no head, or not one output a head. A density and a Gaussian cloud
    feel heads without outputs and bias.
    """

    heads: tuple[AbstractAttention, ...] = eqx.field(converter=lambda h: _check_heads(h))
    outputs: tuple[Matrix, ...] | None = eqx.field(
        default=None, converter=lambda o: _check_outputs(o)
    )
    bias: Float[Array, " d"] | None = eqx.field(
        default=None, converter=lambda b: None if b is None else check_vector(b, "bias")
    )

    def __check_init__(self):
        if self.outputs is not None and len(self.outputs) != len(self.heads):
            raise ValueError(
                f"expected one output a head, got {len(self.outputs)} for {len(self.heads)} heads; "
                "leave out outputs for the identity."
            )

    @exact_products
    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        first, *rest = fields = [head(x, y, w) for head in self.heads]
        if self.outputs is not None:
            pairs = zip(fields, self.outputs, strict=True)
            first, *rest = fields = [apply_matrix(matrix, f, "outputs") for f, matrix in pairs]
        if len({field.shape for field in fields}) > 1:
            raise ValueError(
                f"expected heads into one space, got fields in R^d for d = "
                f"{[field.shape[1] for field in fields]}; give every value as many rows."
            )
        total = sum(rest, start=first)
        return total if self.bias is None else total + self._bias_for(total)

    def _bias_for(self, field: Points) -> Float[Array, " d"]:
        if self.bias is None or len(self.bias) != field.shape[1]:
            raise ValueError(
                f"expected a bias of length {field.shape[1]} for these heads, got another; pass one "
                "number a row of the outputs."
            )
        return self.bias.astype(field.dtype)

    def solved(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
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

    def tabulated(self, basis: AbstractBasis, dtype: DTypeLike) -> AbstractDensityAttention:
        return MultiHead([head.tabulated(basis, dtype) for head in self._of_densities()])

    def _of_densities(self) -> tuple[AbstractDensityAttention, ...]:
        """The heads, which `check_isotropic` has asked for a mean field."""
        self._refuse_outputs("a density")
        return cast(tuple[AbstractDensityAttention, ...], self.heads)

    def gaussian_field(self, mean: Float[Array, " d"], cov: Float[Array, "d d"]) -> AffineField:
        """The field of a Gaussian cloud, affine if that of each head is; ValueError otherwise."""
        self._refuse_outputs("a Gaussian cloud")
        heads = [head for head in self.heads if isinstance(head, GaussianAttention)]
        if len(heads) < len(self.heads):
            raise ValueError(
                "expected heads that keep a Gaussian cloud Gaussian, such as Softmax, L2 and Sinkhorn, "
                "got another; simulate the particles with AttentionFlow."
            )
        first, *rest = (head.gaussian_field(mean, cov) for head in heads)
        return jax.tree.map(lambda *parts: sum(parts[1:], start=parts[0]), first, *rest)

    def _refuse_outputs(self, what: str) -> None:
        if self.outputs is not None or self.bias is not None:
            raise ValueError(
                f"expected heads without outputs and bias for {what}, got some; multiply value by output, "
                "or simulate the particles with AttentionFlow."
            )


def _check_output(output) -> Matrix:
    matrix = check_matrix(output, "outputs")
    if matrix is None:
        raise ValueError(
            "expected a matrix a head in outputs, got None; leave out outputs for the identity."
        )
    return matrix


def _check_outputs(outputs) -> tuple[Matrix, ...] | None:
    """None, or finite matrices."""
    if outputs is None:
        return None
    if not isinstance(outputs, tuple | list):
        raise ValueError(
            f"expected a list of matrices for outputs, got {shown(outputs)}; pass one a head."
        )
    return tuple(_check_output(o) for o in outputs)


def _check_heads(heads) -> tuple[AbstractAttention, ...]:
    """A tuple of attentions, of which there is one or more."""
    remedy = "pass MultiHead([Softmax(1.0)])"
    return tuple(check_instances(heads, AbstractAttention, "attentions for heads", remedy))
