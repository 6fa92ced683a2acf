import abc
import os

import equinox as eqx
import jax
from jaxtyping import Array, Float

from ._problem import ExponentialSum


class Sums(eqx.Module):
    """Weighted sums of exponentials, with the exponent's offset kept apart.

    mass_i = sum_j w_j e^{l_ij - shift_i} and moment_i = sum_j w_j e^{l_ij - shift_i} v_j.
    """

    shift: Float[Array, " n"]
    mass: Float[Array, " n"]
    moment: Float[Array, "n e"]


class AbstractEngine(eqx.Module):
    """A way to compute the sums of an attention: exact to rounding unless its name says otherwise."""

    @abc.abstractmethod
    def sums(self, problem: ExponentialSum) -> Sums:
        """The mass and the moment at every query."""


def available_memory() -> float:
    """Bytes that an array may take on the default device: the device's limit, or this machine's."""
    stats = jax.devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return float(stats["bytes_limit"])
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
