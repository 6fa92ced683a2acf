"""Sums estimated by means over random samples, and how far their ratio may be off."""

import abc

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...._shown import AbstractShown
from ....transport.costs import root
from .._approximate import AbstractApproximate
from .._base import Sums
from .._exponential_sum import ExponentialSum

_ROWS = 256


class Samples(AbstractShown):
    """R samples of which sums are the mean: mass_i = mean_r e^{l_ir} a_r, moment_i = mean_r e^{l_ir} b_r."""

    logits: Float[Array, "n r"]
    mass: Float[Array, " r"]
    moment: Float[Array, "r e"]

    def mean(self) -> Sums:
        """The sums."""
        shift, weights = self._weights()
        return Sums(shift, weights @ self.mass, weights @ self.moment)

    def relative_error(self) -> Float[Array, " n"]:
        """The standard error of moment/mass, over its length, to first order in 1/R.

        With F = sum_r m_r / sum_r z_r its variance is sum_r |m_r - F z_r|^2 / (sum_r z_r)^2.
        """
        _, weights = self._weights()

        def at(row: Float[Array, " r"]) -> Float[Array, ""]:
            z, m = row * self.mass, row[:, None] * self.moment
            field = m.sum(axis=0) / z.sum()
            off = jnp.sum((m - field * z[:, None]) ** 2)
            return root(off) / jnp.abs(z.sum()) / jnp.linalg.norm(field)

        return jax.lax.map(at, weights, batch_size=_ROWS)

    def _weights(self) -> tuple[Float[Array, " n"], Float[Array, "n r"]]:
        shift = jax.lax.stop_gradient(self.logits.max(axis=1))
        return shift, jnp.exp(self.logits - shift[:, None]) / self.logits.shape[1]


class AbstractSampled(AbstractApproximate):
    """An approximation of the sums by means over random samples."""

    @abc.abstractmethod
    def samples(self, problem: ExponentialSum) -> Samples:
        """The samples of which the sums are the mean."""

    def sums(self, problem: ExponentialSum) -> Sums:
        return self.samples(problem).mean()


def check_unmasked(problem: ExponentialSum, name: str) -> None:
    """ValueError for a mask."""
    if problem.mask is not None:
        raise ValueError(f"expected no mask for {name}, got one; use Blockwise().")
