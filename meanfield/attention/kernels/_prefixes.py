from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._checks import check_instance, check_weights, shown
from ..._products import exact_products
from ..._typing import Masses, Outputs, Points, Sources
from ..engines import check_tokens
from ._base import AbstractAttention

_PAIRS = 2**22
"""Pairs of tokens that are held at once."""


class Prefixes(AbstractAttention):
    """Any attention, made causal: token i attends as the last of the first i tokens alone.

        field(x_i) = attention(x_1, ..., x_i)_i

    with masses w_1, ..., w_i in the same proportions; 0 where none has mass. `Prefixes(Softmax(beta))` is
    softmax with a causal mask. `Prefixes(Sinkhorn(beta))` makes the plan of each prefix doubly stochastic
    and reads its last row: unlike one plan with a causal mask, no weight depends on a token behind, so
    that it is a model that can write. Unit tokens with inner product c are alike in both:

        field(x_2) = (1 - p) x_1 + p x_2,    p = 1/(1 + e^{-beta (1 - c)})

    - `attention`: of n tokens among themselves; query, key, value and a mask [n, n] are kept.

    n fields of n tokens: n times the work. `weights(x)` [n, n] has in row i what token i draws from.
    Raises ValueError for cross attention, which has no order, and where the attention does.
    Source: ours; for Sinkhorn attention, arXiv 2110.11773.
    """

    EXAMPLE = "Prefixes(Sinkhorn(1.0))"

    attention: AbstractAttention = eqx.field(
        converter=lambda a: check_instance(
            a, AbstractAttention, "an attention", "pass Sinkhorn(1.0), say"
        )
    )

    @exact_products
    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        x = check_tokens(x, "x")
        masses, empty = _prefixes(x, y, w)
        field = _each(_field, self.attention, x, masses)
        return jnp.where(empty, 0, field)

    def weights(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> Float[Array, "n n"]:
        """The weights of each token in its prefix: rows sum to one, or are 0 where none has mass.

        Raises ValueError for an attention without `plan` and `weights`.
        """
        if not hasattr(self.attention, "plan") and not hasattr(self.attention, "weights"):
            raise ValueError(
                f"expected an attention that has weights, got {shown(self.attention)}; pass Softmax(1.0) "
                "or Sinkhorn(1.0)."
            )
        x = check_tokens(x, "x")
        masses, empty = _prefixes(x, y, w)
        rows = _each(_row, self.attention, x, masses)
        return jnp.where(empty | (masses == 0), 0, rows)

    def solved(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> Bool[Array, ""] | None:
        x = check_tokens(x, "x")
        masses, empty = _prefixes(x, y, w)
        if self.attention.solved(x, None, masses[-1]) is None:
            return None
        each = _each(_solved, self.attention, x, masses)
        return (each | empty[:, 0]).all()


def _prefixes(x: Points, y, w) -> tuple[Float[Array, "n n"], Bool[Array, "n 1"]]:
    """The masses of the first i tokens, for each i, and whether these have none: then they count alike."""
    if y is not None:
        raise ValueError(
            "expected tokens among themselves, got cross attention, which has no prefixes; leave out y."
        )
    n = len(x)
    w = jnp.full((n,), 1 / n, x.dtype) if w is None else check_weights(w, n).astype(x.dtype)
    first = jnp.tri(n, dtype=bool)
    empty = (jnp.where(first, w, 0).sum(axis=1) == 0)[:, None]
    masses = jnp.where(first, jnp.where(empty, 1, w), 0)
    return masses / masses.sum(axis=1, keepdims=True), empty


def _field(attention: AbstractAttention, x: Points, i, w: Masses) -> Float[Array, " e"]:
    return attention(x, None, w)[i]


def _row(attention: Any, x: Points, i, w: Masses) -> Float[Array, " n"]:
    of = getattr(attention, "plan", None) or attention.weights
    return of(x, None, w)[i]


def _solved(attention: AbstractAttention, x: Points, _, w: Masses) -> Bool[Array, ""] | None:
    return attention.solved(x, None, w)


@eqx.filter_jit
def _each(
    of_prefix: Callable, attention: AbstractAttention, x: Points, masses: Float[Array, "n n"]
) -> Array:
    """A function of i and the masses of the first i tokens, for each i: computed again for a gradient,
    since what each leaves behind may be n^2 numbers."""
    n = len(masses)
    size = max(1, _PAIRS // n**2)
    one = jax.checkpoint(lambda row: of_prefix(attention, x, *row))
    return jax.lax.map(one, (jnp.arange(n), masses), batch_size=size)
