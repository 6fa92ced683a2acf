import abc
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import guard
from .._door import AbstractChecked
from .._products import weighted_sum
from .._typing import Scalar
from ..transport.densities import (
    AbstractDomain,
    Accuracy,
    Effort,
    filled,
    proximal_step,
    self_potential,
)

Values = Float[Array, " q"]


class Movement(NamedTuple):
    """What one step is to do: the energy is temperature int rho log rho + a part of slope `force`."""

    domain: AbstractDomain
    force: Callable[[Values], Values]
    temperature: Scalar
    tau: Scalar
    rounds: int
    accuracy: Accuracy


class AbstractBias(AbstractChecked):
    """What is done about the blur of entropic transport, which is of the order of epsilon."""

    @abc.abstractmethod
    def check(self, temperature: Scalar, epsilon: Scalar) -> None:
        """ValueError, with the remedy, for an epsilon that this cannot treat."""

    @abc.abstractmethod
    def finest(self, epsilon: Scalar) -> Scalar:
        """The least regularization that is used."""

    @abc.abstractmethod
    def move(self, density: Values, movement: Movement, epsilon: Scalar) -> tuple[Values, Effort]:
        """The next density."""


class Biased(AbstractBias):
    """Nothing: steps minimize E + OT_epsilon, which adds the entropy epsilon/2 to the energy.

    More exactly, OT_epsilon(rho, rho') is a divergence plus half the self-transport of each, so that
    the flow is that of E + OT_epsilon(rho, rho)/2, which is E + (epsilon/2) int rho log rho + O(epsilon^2).
    """

    def check(self, temperature: Scalar, epsilon: Scalar) -> None:
        return None

    def finest(self, epsilon: Scalar) -> Scalar:
        return epsilon

    def move(self, density: Values, movement: Movement, epsilon: Scalar) -> tuple[Values, Effort]:
        def force(rho: Values):
            return movement.force(rho), _nothing(rho.dtype)

        return _iterate(density, movement, force, movement.temperature, epsilon)


class Debiased(AbstractBias):
    """Steps that minimize E + S_epsilon, with S the Sinkhorn divergence: errors of order epsilon^2.

    S_epsilon(rho, rho') = OT_epsilon(rho, rho') - OT_epsilon(rho, rho)/2 - OT_epsilon(rho', rho')/2

    The last term is concave even with (epsilon/2) int rho' log rho' added (relative entropy is jointly
    convex), and is replaced by its tangent at the old density, or at the latest of the `rounds`: this
    majorizes the functional, so that the energy falls at every step, whatever tau, where E has no
    interaction or a concave one. Laws e^{-V/nu} that are stationary are so at any epsilon. A start that is
    narrower than sqrt(tau epsilon), as one cell, has a tangent that is good for little: the first step
    of `Richardson()` is better there.

    Costs one more Sinkhorn problem, of the density with itself, which takes 20 products or so.
    Needs epsilon < 2 nu. Source: Feydy et al., arXiv 1810.08278, for S; the splitting is ours.
    """

    def check(self, temperature: Scalar, epsilon: Scalar) -> None:
        guard(
            epsilon,
            epsilon < 2 * temperature,
            "expected epsilon < 2 * temperature for Debiased(), got a larger one; take a smaller "
            "epsilon, or bias=Richardson().",
        )

    def finest(self, epsilon: Scalar) -> Scalar:
        return epsilon

    def move(self, density: Values, movement: Movement, epsilon: Scalar) -> tuple[Values, Effort]:
        domain, tau, accuracy = movement.domain, movement.tau, movement.accuracy

        def force(rho: Values):
            full = filled(rho)
            h, effort = self_potential(domain, full, tau, epsilon, accuracy)
            return movement.force(rho) + epsilon / 2 * jnp.log(full) - h, effort

        temperature = movement.temperature - epsilon / 2
        return _iterate(density, movement, force, temperature, epsilon)


class Richardson(AbstractBias):
    """The extrapolation rho_{epsilon/2}^2/rho_epsilon of two biased steps: errors of order epsilon^2.

    It is linear in the logarithm, so that densities stay positive. Costs a second problem, with twice
    the iterations, and a grid that resolves epsilon/2. Works for any epsilon. The energy falls up to
    O(epsilon^2) only.

    Source: Chizat, Roussillon, Leger, Vialard, Peyre, arXiv 2006.08172, who extrapolate the costs.
    """

    def check(self, temperature: Scalar, epsilon: Scalar) -> None:
        return None

    def finest(self, epsilon: Scalar) -> Scalar:
        return epsilon / 2

    def move(self, density: Values, movement: Movement, epsilon: Scalar) -> tuple[Values, Effort]:
        coarse, first = Biased().move(density, movement, epsilon)
        fine, second = Biased().move(density, movement, epsilon / 2)
        w = movement.domain.weights.astype(density.dtype)
        new = jnp.exp(2 * jnp.log(filled(fine)) - jnp.log(filled(coarse)))
        both = jax.tree.map(lambda *parts: jnp.stack(parts), first, second)
        return new * (weighted_sum(w, density) / weighted_sum(w, new)), _together(both)


Force = Callable[[Values], tuple[Values, Effort]]


def _iterate(
    density: Values, movement: Movement, force: Force, temperature: Scalar, epsilon: Scalar
) -> tuple[Values, Effort]:
    """`rounds` steps from the same density, each with the slope at what the last one found."""
    domain, tau, accuracy = movement.domain, movement.tau, movement.accuracy

    def again(latest: Values, _):
        slope, before = force(latest)
        new, effort = proximal_step(
            domain, density, slope, temperature, tau, epsilon, accuracy, latest
        )
        return new, jax.tree.map(lambda *parts: jnp.stack(parts), before, effort)

    new, efforts = jax.lax.scan(again, density, length=movement.rounds)
    return new, _together(efforts)


def _together(efforts: Effort) -> Effort:
    iterations, error, converged = efforts
    return Effort(iterations.sum(), error.max(), converged.all())


def _nothing(dtype) -> Effort:
    return Effort(jnp.zeros((), int), jnp.zeros((), dtype), jnp.ones((), bool))
