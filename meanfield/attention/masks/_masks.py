import abc

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..._checks import as_array, check_integer, check_nonnegative, guard
from ..._door import AbstractChecked
from ..._typing import Scalar


class AbstractMask(AbstractChecked):
    """A number added to each logit, -inf where attention is forbidden, made block by block.

    `numpy.asarray(mask)` is the whole [n, m] matrix.
    """

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, int]:
        """Queries and keys that it is made for, (n, m)."""

    @abc.abstractmethod
    def bias(self, rows: Int[Array, " a"], columns: Int[Array, " b"]) -> Float[Array, "a b"]:
        """The entries of the mask at these rows and columns."""

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        rows, columns = jnp.arange(self.shape[0]), jnp.arange(self.shape[1])
        return np.asarray(self.bias(rows, columns), dtype)


class AbstractSquareMask(AbstractMask):
    """A mask of n tokens among themselves."""

    n: eqx.AbstractVar[int]

    @property
    def shape(self) -> tuple[int, int]:
        return self.n, self.n


class Causal(AbstractSquareMask):
    """Attention of token i to the tokens j <= i alone."""

    n: int = eqx.field(static=True, converter=lambda n: check_integer(n, "n"))

    def bias(self, rows: Int[Array, " a"], columns: Int[Array, " b"]) -> Float[Array, "a b"]:
        return jnp.where(rows[:, None] >= columns[None, :], 0.0, -jnp.inf)


class Alibi(AbstractSquareMask):
    """Causal attention with the linear penalty -slope (i - j) on the logits."""

    n: int = eqx.field(static=True, converter=lambda n: check_integer(n, "n"))
    slope: Scalar = eqx.field(converter=lambda s: check_nonnegative(s, "slope"))

    def bias(self, rows: Int[Array, " a"], columns: Int[Array, " b"]) -> Float[Array, "a b"]:
        back = (rows[:, None] - columns[None, :]).astype(self.slope.dtype)
        return jnp.where(back >= 0, -self.slope * back, -jnp.inf)


class Additive(AbstractMask):
    """Any matrix [n, m] of numbers that are added to the logits; -inf forbids, as False does."""

    matrix: Float[Array, "n m"] = eqx.field(converter=lambda m: _check_mask(m))

    @property
    def shape(self) -> tuple[int, int]:
        return self.matrix.shape[0], self.matrix.shape[1]

    def bias(self, rows: Int[Array, " a"], columns: Int[Array, " b"]) -> Float[Array, "a b"]:
        return self.matrix[rows[:, None], columns[None, :]]


def causal(n: int) -> Causal:
    """The mask of decoders: token i attends to j <= i.

    With value = identity every token then converges to the first one
    (Karagodin, Polyanskiy, Rigollet, arXiv 2411.04990). Raises ValueError if n < 1.
    """
    return Causal(n)


def alibi(n: int, slope: float | Scalar) -> Alibi:
    """Attention with linear biases: causal, with -slope (i - j) added to the logits beta <q_i, k_j>.

    Good slopes are 2^-1 to 2^-8 (Press, Smith, Lewis, arXiv 2108.12409). Raises ValueError if n < 1
    or the slope is negative.
    """
    return Alibi(n, slope)


def as_mask(mask) -> AbstractMask | None:
    """A mask object from None, a mask, a boolean matrix (True attends) or an additive one."""
    return mask if mask is None or isinstance(mask, AbstractMask) else Additive(mask)


def check_fits(mask: AbstractMask | None, n: int, m: int) -> None:
    """Raise ValueError if there is a mask that is not made for n queries and m keys."""
    if mask is not None and mask.shape != (n, m):
        raise ValueError(
            f"expected a mask of shape {[n, m]} for {n} queries and {m} keys, "
            f"got {list(mask.shape)}; make the mask for this number of tokens."
        )


def _check_mask(mask) -> Float[Array, "n m"]:
    """A matrix of numbers to add, from one or from truth values, in which no row forbids all."""
    matrix = as_array(mask, "a mask")
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(
            f"expected a mask of shape [n, m], got {list(matrix.shape)}; use causal(n)."
        )
    if matrix.dtype == bool:
        matrix = jnp.where(matrix, 0.0, -jnp.inf)
    if not jnp.issubdtype(matrix.dtype, jnp.floating):
        raise ValueError(
            f"expected a boolean or floating-point mask, got {matrix.dtype}; "
            "cast with .astype(bool), True where attention is allowed."
        )
    matrix = guard(
        matrix,
        ~(jnp.isnan(matrix) | (matrix == jnp.inf)).any(),
        "expected a mask without NaN or +inf; forbid with -inf, allow with 0.",
    )
    return guard(
        matrix,
        (matrix > -jnp.inf).any(axis=1).all(),
        "expected a mask that leaves every query at least one key, got an empty row; "
        "let each token attend to itself.",
    )
