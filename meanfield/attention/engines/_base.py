import abc
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._door import AbstractChecked
from ..._shown import AbstractShown
from ..._typing import Masses, Scalar
from ._exponential_sum import ExponentialSum


class Sums(AbstractShown):
    """Weighted sums of exponentials, with the exponent's offset kept apart.

        mass_i = sum_j w_j e^{l_ij - shift_i},    moment_i = sum_j w_j e^{l_ij - shift_i} v_j

    `shift` and `mass` are [n], `moment` is [n, e].
    """

    shift: Float[Array, " n"]
    mass: Float[Array, " n"]
    moment: Float[Array, "n e"]

    def mean(self) -> Float[Array, "n e"]:
        """moment/mass, the average of the values; 0 where all that a query sees has no mass."""
        empty = (self.mass == 0)[:, None]
        return jnp.where(empty, 0, self.moment / jnp.where(empty, 1, self.mass[:, None]))

    def relative_error(
        self, mass: Scalar | Float[Array, " n"], moment: Scalar | Float[Array, " n"]
    ) -> Float[Array, " n"]:
        """A bound on |F - F_exact|/|F_exact| of the averages F, infinite if unknown.

        If the sums are off by t_Z (`mass`) and t_F (`moment`, in norm) at most, then
        |F - F_exact| <= (t_F + |F| t_Z)/(Z - t_Z), where Z is the mass.
        """
        field = jnp.linalg.norm(self.moment, axis=-1) / self.mass
        least = self.mass - mass
        error = (moment + field * mass) / least
        known = (least > 0) & (field > error)
        bound = jnp.where(known, error / jnp.where(known, field - error, 1), jnp.inf)
        return jnp.where(jnp.isnan(self.mass), jnp.nan, bound)


class AbstractEngine(AbstractChecked):
    """A way to compute the sums of an attention.

    `Dense`, `Blockwise` and `Sharded` are exact to rounding. `Harmonic` and `Nystrom` err by what their
    `relative_error` bounds, `RandomFeatures` and `RandomBatch` at random.
    """

    EXAMPLE = "Blockwise()"

    @abc.abstractmethod
    def sums(self, problem: ExponentialSum) -> Sums:
        """The mass and the moment at every query."""


def largest_logit(logits: Float[Array, "n m"], w: Masses) -> Float[Array, " n"]:
    """The largest logit of each row among the keys that have weight; -inf if there is none."""
    return jax.lax.stop_gradient(jnp.where(w > 0, logits, -jnp.inf).max(axis=-1))


def exponentials(logits: Float[Array, "n m"], shift: Float[Array, " n"]) -> Float[Array, "n m"]:
    """e^{l_ij - shift_i}, where no shift lies below the logit of a key that has weight.

    Keys of no weight may lie above: they are capped, for 0 * inf would be NaN.
    """
    cap = jnp.log(jnp.finfo(logits.dtype).max) / 2
    return jnp.exp(jnp.minimum(logits - shift[:, None], cap))


def keeps_digits(bound: Float[Array, ""]) -> Bool[Array, ""]:
    """Whether the greatest term of every row keeps its digits under this bound of all logits, in every
    member of a batch: one answer for all, as a condition of each would compute both of its branches."""
    return in_all(2 * bound <= underflow_limit(bound.dtype))


@jax.custom_batching.custom_vmap
def in_all(condition: Bool[Array, ""]) -> Bool[Array, ""]:
    """A condition; of a batch, whether all of its members meet it."""
    return condition


@in_all.def_vmap
def _in_all_of_a_batch(axis_size, in_batched, condition):
    return in_all(condition.all(axis=0)), False


def underflow_limit(dtype) -> float:
    """The largest 2 * bound at which the greatest term of every row keeps all its digits."""
    info = jnp.finfo(dtype)
    return math.log(info.eps) - math.log(info.tiny)
