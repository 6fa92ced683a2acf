import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._memory import available_memory
from ..._products import row_sums
from ._base import AbstractEngine, Sums, exponentials, keeps_digits, largest_logit
from ._exponential_sum import ExponentialSum

NARROW = 8
"""Columns below which a product is too narrow to be quick: one more then costs nothing."""


class Dense(AbstractEngine):
    """The whole n x m matrix of weights at once: the quickest for small clouds.

    Where all logits are so bounded that no row can underflow (on the sphere, beta below 336 in float64
    and 35 in float32) the weights are e^{l - bound}; otherwise, under any mask, and where d >= m, each
    row is scaled by its largest logit, so that no exponential overflows. Raises ValueError if the
    matrix, with the two copies that a gradient needs, would not fit in memory.
    """

    def sums(self, problem: ExponentialSum) -> Sums:
        n, m = problem.q.shape[0], problem.k.shape[0]
        check_memory(n, m, problem.q.dtype.itemsize)
        return _sums(problem)


@eqx.filter_jit
def _sums(problem: ExponentialSum) -> Sums:
    """One program: a gradient outside of jit would compile the condition at each call."""
    bound = jax.lax.stop_gradient(problem.bound())
    if problem.mask is not None or problem.y.shape[1] >= len(problem.k):
        return _by_largest(problem, bound)
    return jax.lax.cond(keeps_digits(bound.max()), _by_bound, _by_largest, problem, bound)


def _by_bound(problem: ExponentialSum, bound: Float[Array, " n"]) -> Sums:
    """Sums under a bound of all logits: no pass over the matrix but its exponential."""
    weights = jnp.exp(_lowered(problem, bound))
    if problem.y.shape[1] < NARROW:
        sums = row_sums(weights, problem.weighted())
        return Sums(bound, sums[:, -1], sums[:, :-1])
    return Sums(
        bound, row_sums(weights, problem.w), row_sums(weights, problem.w[:, None] * problem.v)
    )


def _lowered(problem: ExponentialSum, bound: Float[Array, " n"]) -> Float[Array, "n m"]:
    """l_ij - bound_i, for small matrices as one product: <(beta q_i, -bound_i), (k_j, 1)>."""
    q, k = problem.q, problem.k
    if q.shape[1] >= NARROW or q.shape[0] * k.shape[0] > 2048:
        return problem.logits() - bound[:, None]
    left = jnp.concatenate([problem.beta * q, -bound[:, None]], axis=1)
    return left @ jnp.concatenate([k, jnp.ones_like(k[:, :1])], axis=1).T


def _by_largest(problem: ExponentialSum, bound: Float[Array, " n"]) -> Sums:
    """Sums under the largest logit of each row, whatever the bound."""
    logits = problem.logits()
    shift = largest_logit(logits, problem.w)
    shift = jnp.where(jnp.isfinite(shift), shift, 0)
    weights = exponentials(logits, shift) * problem.w
    return Sums(shift, weights.sum(axis=-1), row_sums(weights, problem.v))


def check_memory(n: int, m: int, itemsize: int) -> None:
    """Raise ValueError if three n x m matrices would not fit in memory."""
    need, have = 3 * n * m * itemsize, available_memory()
    if need > have:
        raise ValueError(
            f"expected a dense matrix that fits in memory, got n = {n} by m = {m}, which needs "
            f"{need / 2**30:.0f} GiB of {have / 2**30:.0f}; use engine=Blockwise() or engine=None."
        )
