from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_weights, guard_at_run_time
from ..._door import door
from ..._memory import dense_is_quick
from ..._products import exact_products, row_sums
from ..._typing import Masses, Matrix, Outputs, Points, Sources
from ..engines import apply_matrix, check_matrix, check_query_and_key, check_tokens
from ..masks import AbstractMask, as_mask
from ._base import AbstractAttention, in_blocks

_BLOCK = 256
"""Queries a block."""
_TIES = 16
"""Logits that differ by less than this many roundings of their size are tied."""


class Hardmax(AbstractAttention):
    """Hard attention: softmax at beta = infinity, where each query sees its best keys alone.

    field(x_i) = V mean of y_j over the j of largest <Q x_i, K y_j> + mask_ij, weighted by w_j

    Ties, keys whose logits agree to rounding, share by their masses, as the limit of softmax does; keys of
    mass zero are never best. The tokens that see key j are those in its cell argmax_j <Q x, K y_j>, a
    polyhedral cone. In R^d, `AttentionFlow(Euclidean(d), Hardmax()) + Drift(Euclidean(d), lambda x: -x)` is
    x' = v - x toward the token v that x sees; `hardmax_path` of `dynamics` solves it exactly.

    - `query`, `key`, `value`, `mask`: as `Softmax` has them.

    The field jumps between cells; derivatives are those within a cell. Raises ValueError for matrices,
    masks or clouds that do not fit.
    Source: Alcalde, Fantuzzi, Zuazua, arXiv 2407.01602; arXiv 2508.09628.
    """

    query: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "query"))
    key: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "key"))
    value: Matrix | None = eqx.field(default=None, converter=lambda a: check_matrix(a, "value"))
    mask: AbstractMask | None = eqx.field(default=None, converter=as_mask)

    def __check_init__(self):
        super().__check_init__()
        check_query_and_key(self.query, self.key)

    @exact_products
    def __call__(self, x: Points, y: Sources | None = None, w: Masses | None = None) -> Outputs:
        y = x if y is None else y
        moved = apply_matrix(self.value, check_tokens(y, "y"), "value")
        return self._each(x, y, w, _field, moved)

    @door
    def best(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> Int[Array, " n"]:
        """The first of the best keys of each query: its cell."""
        y = x if y is None else y
        x, y = _known(x, "x"), _known(y, "y")
        w = None if w is None else _known(w, "w")
        return self._each(x, y, w, _first)

    @door
    def leaders(self, x: Points) -> Bool[Array, " n"]:
        """Whether each token sees itself, alone or tied: the leaders, to which the others move."""
        x = _known(x, "x")
        return self._each(x, x, None, _sees_itself)

    def _each(self, x: Points, y: Sources, w, of_weights: Callable, *args: Array) -> Array:
        """A function of the weights [block, m] of the queries and of their numbers, a block at a time."""
        x, y = check_tokens(x, "x"), check_tokens(y, "y")
        n, m = len(x), len(y)
        w = jnp.full((m,), 1 / m, x.dtype) if w is None else check_weights(w, m).astype(x.dtype)
        q, k = apply_matrix(self.query, x, "query"), apply_matrix(self.key, y, "key")
        if self.mask is not None and self.mask.shape != (n, m):
            raise ValueError(
                f"expected a mask of shape {[n, m]} for these clouds, got {list(self.mask.shape)}; make "
                "one of their size."
            )
        size = n if dense_is_quick(n, m, x.dtype.itemsize) else _BLOCK
        return _by_blocks(q, k, w, self.mask, size, of_weights, *args)


@eqx.filter_jit
def _by_blocks(q, k, w, mask: AbstractMask | None, size: int, of_weights: Callable, *args) -> Array:
    """`of_weights(weights, numbers, *args)` of the queries, `size` at a time: computed again for a
    gradient."""

    def block(i):
        bias = None if mask is None else mask.bias(i, jnp.arange(len(k)))
        return of_weights(_weights(q[i], k, w, bias), i, *args)

    return in_blocks(block, len(q), size)


def _field(weights: Float[Array, "n m"], _, moved: Float[Array, "m e"]) -> Outputs:
    return row_sums(weights, moved)


def _first(weights: Float[Array, "n m"], _) -> Int[Array, " n"]:
    return weights.argmax(axis=1)


def _sees_itself(weights: Float[Array, "b n"], i: Int[Array, " b"]) -> Bool[Array, " b"]:
    return weights[jnp.arange(len(i)), i] > 0


def _known(x: Array, name: str) -> Array:
    """x, which must be finite where numbers without a NaN are made of it."""
    message = (
        f"expected finite numbers in {name}, got NaN or infinity; remove or replace those tokens."
    )
    return guard_at_run_time(x, jnp.isfinite(x).all(), message)


def _weights(q: Points, k: Float[Array, "m d"], w: Masses, bias) -> Float[Array, "n m"]:
    """w_j over the mass of the best keys, where j is one of them, and 0 elsewhere."""
    massive = w > 0
    k = jnp.where(massive[:, None], k, 0)  # of mass zero they may be anywhere
    logits = q @ k.T
    size = jnp.linalg.norm(q, axis=1) * jnp.linalg.norm(k, axis=1).max()
    if bias is not None:
        logits = logits + bias.astype(logits.dtype)
        size = size + jnp.where(jnp.isfinite(bias), jnp.abs(bias), 0).max(axis=1).astype(q.dtype)
    logits = jnp.where(massive, logits, -jnp.inf)
    top = logits.max(axis=1, keepdims=True)
    slack = _TIES * jnp.finfo(q.dtype).eps * size[:, None]
    shares = jnp.where((logits >= top - slack) & (top > -jnp.inf), w, 0)
    total = shares.sum(axis=1, keepdims=True)
    shares = shares / jnp.where(total > 0, total, 1)
    # A logit that is NaN is neither best nor not: its row is NaN.
    return jnp.where(jnp.isnan(top) | jnp.isnan(w).any(), jnp.nan, shares)
