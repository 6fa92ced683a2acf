from typing import Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import as_array, check_finite, check_precision, check_weights, shown
from ..._shown import AbstractShown
from ..._typing import Masses, Matrix, Points, Scalar, Sources
from ..masks import AbstractMask, check_fits


class ExponentialSum(AbstractShown):
    """The sums sum_j w_j e^{l_ij} v_j that softmax and unnormalized attention share.

    The logits are l_ij = beta <q_i, k_j> + mask_ij. `plain` says that q and k are the tokens
    themselves, with no matrix, as the harmonic engines need; `mirrored` that they are the same tokens,
    so that without a mask l_ij = l_ji.
    """

    beta: Scalar
    q: Float[Array, "n p"]
    k: Float[Array, "m p"]
    y: Sources
    value: Matrix | None
    w: Masses
    mask: AbstractMask | None
    plain: bool = eqx.field(static=True)
    mirrored: bool = eqx.field(static=True, default=False)

    @property
    def v(self) -> Float[Array, "m e"]:
        """The values V y_j."""
        return self.transform(self.y)

    def weighted(self) -> Float[Array, "m _"]:
        """The values times their weights and, in the last column, the weights."""
        ones = jnp.ones_like(self.w[:, None])
        return self.w[:, None] * jnp.concatenate([self.v, ones], axis=1)

    def transform(self, points: Float[Array, "n d"]) -> Float[Array, "n e"]:
        """V applied to each row."""
        return apply_matrix(self.value, points, "value")

    def logits(self) -> Float[Array, "n m"]:
        """The whole matrix of logits: only for clouds small enough."""
        scores = self.beta * (self.q @ self.k.T)
        if self.mask is None:
            return scores
        rows, columns = jnp.arange(self.q.shape[0]), jnp.arange(self.k.shape[0])
        return scores + self.mask.bias(rows, columns).astype(scores.dtype)

    def bound(self) -> Float[Array, " n"]:
        """|beta| |q_i| max_j |k_j| >= |l_ij| without a mask; equals beta for plain tokens on the sphere."""
        longest = jnp.linalg.norm(self.k, axis=-1).max()
        return jnp.abs(self.beta) * jnp.linalg.norm(self.q, axis=-1) * longest


@runtime_checkable
class PosesSums(Protocol):
    """An attention of which an engine needs to know only what there is to sum."""

    @property
    def beta(self) -> Scalar:
        """The inverse temperature."""
        ...

    def problem(
        self, x: Points, y: Sources | None = None, w: Masses | None = None
    ) -> ExponentialSum:
        """What the engine is asked to sum."""
        ...


def check_poses_sums(attention) -> PosesSums:
    """`attention`, if an engine can be asked to sum it."""
    if isinstance(attention, type) or not isinstance(attention, PosesSums):
        raise ValueError(
            f"expected an attention that sums exponentials, got {shown(attention)}; pass Softmax(beta), say."
        )
    return attention


def exponential_sum(
    beta: Scalar,
    query: Float[Array, "p c"] | None,
    key: Float[Array, "p c"] | None,
    value: Float[Array, "e c"] | None,
    mask: AbstractMask | None,
    x: Points,
    y: Sources | None,
    w: Float[Array, " masses"] | None,
) -> ExponentialSum:
    """The problem that an attention poses to its engine, checked and in the dtype of x."""
    alone = y is None or y is x
    x = check_tokens(x, "x")
    y = x if y is None else check_tokens(y, "y")
    n, m = x.shape[0], y.shape[0]
    check_fits(mask, n, m)
    w = jnp.full((m,), 1 / m, x.dtype) if w is None else check_weights(w, m)
    q, k = apply_matrix(query, x, "query"), apply_matrix(key, y, "key")
    if q.shape[1] != k.shape[1]:
        raise ValueError(
            f"expected queries and keys in one space, got R^{q.shape[1]} and R^{k.shape[1]}; "
            "give y as many columns as x, or pass query and key."
        )
    return ExponentialSum(
        beta=beta.astype(x.dtype),
        q=q,
        k=k,
        y=y,
        value=value,
        w=w.astype(x.dtype),
        mask=mask,
        plain=query is None and key is None,
        mirrored=query is None and key is None and alone,
    )


def check_tokens(x, name: str) -> Points:
    """`x`, if it is a cloud [n, d] of at least one token; infinite numbers in it become NaN, for a weight
    that they make 0 or 1 would hide them."""
    x = check_precision(as_array(x, name), name)
    if jnp.ndim(x) != 2 or x.size == 0:
        raise ValueError(
            f"expected {name} of shape [n, d], got {list(jnp.shape(x))}; "
            "put one token a row, and use vmap for a batch of clouds."
        )
    return jnp.where(jnp.isfinite(x), x, jnp.nan)


def apply_matrix(matrix: Float[Array, "p c"] | None, x: Points, name: str) -> Float[Array, "n e"]:
    """The matrix applied to each row; ValueError if it does not fit. None is the identity."""
    return x if matrix is None else x @ check_columns(matrix, x.shape[1], name).astype(x.dtype).T


def check_columns(matrix: Float[Array, "p c"], d: int, name: str) -> Float[Array, "p c"]:
    """`matrix`, if it acts on tokens in R^d."""
    if matrix.shape[1] != d:
        raise ValueError(
            f"expected a {name} matrix with {d} columns for tokens in R^{d}, "
            f"got shape {list(matrix.shape)}; its rows may be any number, its columns are d."
        )
    return matrix


def check_matrix(matrix, name: str) -> Matrix | None:
    """None, or a finite matrix [rows, d]."""
    if matrix is None:
        return None
    matrix = check_finite(matrix, name)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(
            f"expected a {name} matrix of shape [rows, d], got {list(matrix.shape)}; "
            "for several heads use MultiHead."
        )
    return matrix


def check_query_and_key(query: Float[Array, "p d"] | None, key: Float[Array, "r d"] | None) -> None:
    """Queries and keys must have the same number of rows, so that their product exists."""
    if query is not None and key is not None and query.shape[0] != key.shape[0]:
        raise ValueError(
            f"expected query and key with the same number of rows, got {list(query.shape)} and "
            f"{list(key.shape)}; both map R^d to the space of their inner product."
        )
