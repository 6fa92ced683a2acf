import jax.numpy as jnp

from ..._memory import available_memory
from ._base import AbstractEngine, Sums, exponentials, largest_logit
from ._exponential_sum import ExponentialSum


class Dense(AbstractEngine):
    """The whole n x m matrix of weights at once: the quickest for small clouds.

    Each row is scaled by its largest logit, so that no exponential overflows. Raises ValueError if
    the matrix, with the two copies that a gradient needs, would not fit in memory.
    """

    def sums(self, problem: ExponentialSum) -> Sums:
        check_memory(problem.q.shape[0], problem.k.shape[0], problem.q.dtype.itemsize)
        logits = problem.logits()
        shift = largest_logit(logits, problem.w)
        shift = jnp.where(jnp.isfinite(shift), shift, 0)
        weights = exponentials(logits, shift) * problem.w
        return Sums(shift, weights.sum(axis=-1), weights @ problem.v)


def check_memory(n: int, m: int, itemsize: int) -> None:
    """Raise ValueError if three n x m matrices would not fit in memory."""
    need, have = 3 * n * m * itemsize, available_memory()
    if need > have:
        raise ValueError(
            f"expected a dense matrix that fits in memory, got n = {n} by m = {m}, which needs "
            f"{need / 2**30:.0f} GiB of {have / 2**30:.0f}; use engine=Blockwise() or engine=None."
        )
