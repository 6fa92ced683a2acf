import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_instance, check_scalar
from .._typing import Points, Scalar, Weights
from ..harmonics import AbstractBasis
from ._doors import check_cloud
from ._quantiles import AbstractQuantiles


class AbstractEnergy(eqx.Module):
    """A functional of a measure: `energy(x, w)` is its value on n points x [n, d] of masses w.

    Energies form a vector space: `Interaction(4.0) + 0.5 * Potential(f) - Potential(g)`.
    """

    @abc.abstractmethod
    def __call__(self, x: Points, w: Weights | None = None) -> Scalar:
        """The energy of sum_i w_i delta_{x_i}; w is uniform by default."""

    @abc.abstractmethod
    def on_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        """The energy of the density on the sphere that has these coefficients in `basis`."""

    @abc.abstractmethod
    def on_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        """The energy of the law with the mid-quantiles x on `Line()` or `Circle()`; ValueError if it
        has none there. Densities are relative to Lebesgue measure, or to the uniform law."""

    def wasserstein_gradient(self, x: Points, w: Weights | None = None) -> Points:
        """grad_{x_i} E / w_i: the ambient gradient of the first variation, at each point.

        Points of mass zero do not change the energy; their gradient is reported as 0.
        """
        x, w = check_cloud(x, w)
        n = x.shape[0]
        w = jnp.full((n,), 1 / n, x.dtype) if w is None else w
        gradient = jax.grad(lambda points: self(points, w))(x)
        mass = jnp.where(w > 0, w, 1)[:, None]
        return jnp.where(w[:, None] > 0, gradient / mass, 0)

    def __add__(self, other) -> "Sum":
        return Sum((self, other))

    def __sub__(self, other) -> "Sum":
        return Sum((self, -check_energy(other)))

    def __mul__(self, factor) -> "Scaled":
        return Scaled(factor, self)

    def __rmul__(self, factor) -> "Scaled":
        return Scaled(factor, self)

    def __neg__(self) -> "Scaled":
        return Scaled(-1.0, self)


def check_energy(energy) -> AbstractEnergy:
    """`energy`, if it is one."""
    if isinstance(energy, type):
        raise ValueError(
            f"expected an energy, got the class {energy.__name__}; give it its arguments."
        )
    if callable(energy) and not isinstance(energy, AbstractEnergy):
        raise ValueError(
            f"expected an energy, got {type(energy).__name__}; pass Potential(function) for a function, "
            "or -Interaction(beta) for an attention."
        )
    remedy = "pass Potential(function) + Entropy(), for instance"
    return check_instance(energy, AbstractEnergy, "an energy", remedy)


def _several(parts) -> tuple[AbstractEnergy, ...]:
    if not isinstance(parts, tuple | list) or not parts:
        raise ValueError(
            f"expected a tuple of energies, got {type(parts).__name__} that is none or empty; "
            "add energies with +."
        )
    return tuple(map(check_energy, parts))


class Sum(AbstractEnergy):
    """The sum of several energies."""

    terms: tuple[AbstractEnergy, ...] = eqx.field(converter=lambda parts: _several(parts))

    def __call__(self, x: Points, w: Weights | None = None) -> Scalar:
        first, *rest = (term(x, w) for term in self.terms)
        return sum(rest, start=first)

    def on_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        first, *rest = (term.on_density(basis, coeffs) for term in self.terms)
        return sum(rest, start=first)

    def on_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        first, *rest = (term.on_quantiles(domain, x) for term in self.terms)
        return sum(rest, start=first)


class Scaled(AbstractEnergy):
    """A number times an energy."""

    factor: Scalar = eqx.field(converter=lambda a: check_scalar(a, "factor"))
    energy: AbstractEnergy = eqx.field(converter=lambda a: check_energy(a))

    def __call__(self, x: Points, w: Weights | None = None) -> Scalar:
        return self.factor.astype(x.dtype) * self.energy(x, w)

    def on_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        return self.factor.astype(coeffs.dtype) * self.energy.on_density(basis, coeffs)

    def on_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        return self.factor.astype(x.dtype) * self.energy.on_quantiles(domain, x)
