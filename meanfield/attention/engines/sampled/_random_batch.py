import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...._checks import check_integer, check_key
from ...._typing import Key
from .._exponential_sum import ExponentialSum
from ._sampled import AbstractSampled, Samples, check_unmasked


class RandomBatch(AbstractSampled):
    """An approximation: the sums over `size` tokens drawn by their masses, O(n size).

    sum_j w_j e^{l_ij} v_j = E_{J ~ w}[e^{l_iJ} v_J], estimated by a mean over draws with replacement.

    Mass and moment are unbiased at given `key`; softmax, their ratio, has a bias of order 1/size and an
    error of order size^{-1/2}: `relative_error(attention, x)` estimates its standard error at each
    token, honest where many draws matter and too small where e^{beta} is so large that few do. The
    same draw serves all tokens, and every call: for a new one at each step of a run use
    `Varying(lambda t: Softmax(beta, engine=RandomBatch(256, key_at(t))))`. Never chosen automatically.

    Raises ValueError for a mask.
    Source: Jin, Li, Liu, arXiv 1812.10575.
    """

    size: int = eqx.field(static=True, converter=lambda s: check_integer(s, "size", 2))
    key: Key = eqx.field(converter=check_key)

    def samples(self, problem: ExponentialSum) -> Samples:
        check_unmasked(problem, "a random batch")
        drawn = jax.random.choice(self.key, len(problem.k), (self.size,), p=problem.w)
        logits = problem.beta * problem.q @ problem.k[drawn].T
        return Samples(logits, jnp.ones_like(logits[0]), problem.v[drawn])

    def field_error(self, problem: ExponentialSum) -> Float[Array, " n"]:
        """The standard error of the softmax field over its length, from the spread of the samples."""
        return self.samples(problem).relative_error()
