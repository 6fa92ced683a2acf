import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_scalar, check_weights
from .._door import AbstractChecked, door
from .._hooks import default
from .._typing import Points, Scalar, Weights
from ..harmonics import AbstractBasis
from ..transport.costs import weights_or_uniform
from ._quantiles import LEAST, AbstractQuantiles


class AbstractEnergy(AbstractChecked):
    """A functional of a measure: `energy(x, w)` is its value on n points x [n, d] of masses w.

    Energies form a vector space: `Interaction(4.0) + 0.5 * Potential(f) - Potential(g)`. An energy of
    one's own says what it is `_of_points`, and `_of_density` if it has a value there; what it is asked
    about has been checked.
    """

    EXAMPLE = "-Interaction(1.0)"

    @abc.abstractmethod
    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        """The energy of a cloud, of equal masses where w is None."""

    @default
    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        """The energy of a density by its coefficients; ValueError, by default, if it has none."""
        raise ValueError(
            f"expected an energy of densities, got {type(self).__name__}; define its "
            "_of_density(basis, coeffs), or pass a cloud."
        )

    @default
    def _of_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        """The energy of a law by its quantiles: that of a cloud, unless it needs the density."""
        return self._of_points(domain.points(x), jnp.asarray(domain.masses(x.shape[0]), x.dtype))

    @door
    def __call__(self, x: Points, w: Weights | None = None) -> Scalar:
        """The energy of sum_i w_i delta_{x_i}; w is uniform by default."""
        # Traced masses of another sum have an energy too: first variations are derivatives by them.
        w = None if w is None else check_weights(w, x.shape[0]).astype(x.dtype)
        return self._of_points(_finite(x), w)

    @door
    def on_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        """The energy of the density on the sphere that has these coefficients in `basis`."""
        return self._of_density(basis, _finite(check_coeffs(basis, coeffs)))

    @door
    def on_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        """The energy of the law with the mid-quantiles x on `Line()` or `Circle()`; ValueError if it
        has none there. Densities are relative to Lebesgue measure, or to the uniform law."""
        if x.shape[0] < LEAST:
            raise ValueError(
                f"expected x of shape [N] with N >= {LEAST}, got {list(x.shape)}; pass the quantiles "
                "of a law at (arange(N) + 0.5)/N."
            )
        return self._of_quantiles(domain, _finite(x))

    @door
    def wasserstein_gradient(self, x: Points, w: Weights | None = None) -> Points:
        """grad_{x_i} E / w_i: the ambient gradient of the first variation, at each point.

        Points of mass zero do not change the energy; their gradient is reported as 0.
        """
        w = weights_or_uniform(w, x.shape[0], x.dtype, "w")
        gradient = _slope(self, x, w)
        massless = (w == 0)[:, None]
        return jnp.where(massless, 0, gradient / jnp.where(massless, 1, w[:, None]))

    def __add__(self, other) -> "Sum":
        return Sum((self, other))

    def __sub__(self, other) -> "Sum":
        return Sum((self, Scaled(-1.0, other)))

    def __mul__(self, factor) -> "Scaled":
        return Scaled(factor, self)

    def __rmul__(self, factor) -> "Scaled":
        return Scaled(factor, self)

    def __neg__(self) -> "Scaled":
        return Scaled(-1.0, self)


@eqx.filter_jit
def _slope(energy: AbstractEnergy, x: Points, w: Weights) -> Points:
    return jax.grad(lambda points: energy(points, w))(x)


def check_coeffs(basis: AbstractBasis, coeffs: Float[Array, " k"], name: str = "coeffs"):
    """`coeffs`, if they are the coefficients [k] of a density in `basis`."""
    if coeffs.shape != (basis.size,):
        raise ValueError(
            f"expected {name} of shape [{basis.size}], got {list(coeffs.shape)}; "
            "use basis.analyze(values at basis.nodes)."
        )
    return coeffs


def _finite(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`x`, with NaN for infinity, of which a number might be made."""
    return x * jnp.where(jnp.isfinite(x), 1, jnp.nan).astype(x.dtype)  # slopes are NaN too


class Sum(AbstractEnergy):
    """The sum of several energies, its `terms`."""

    terms: tuple[AbstractEnergy, ...]

    def __check_init__(self):
        super().__check_init__()
        if not self.terms:
            raise ValueError("expected energies to add, got none; add energies with +.")

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        first, *rest = (term._of_points(x, w) for term in self.terms)
        return sum(rest, start=first)

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        first, *rest = (term._of_density(basis, coeffs) for term in self.terms)
        return sum(rest, start=first)

    def _of_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        first, *rest = (term._of_quantiles(domain, x) for term in self.terms)
        return sum(rest, start=first)


class Scaled(AbstractEnergy):
    """A number, `factor`, times an energy."""

    factor: Scalar = eqx.field(converter=lambda a: check_scalar(a, "factor"))
    energy: AbstractEnergy

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        return self.factor.astype(x.dtype) * self.energy._of_points(x, w)

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        return self.factor.astype(coeffs.dtype) * self.energy._of_density(basis, coeffs)

    def _of_quantiles(self, domain: AbstractQuantiles, x: Float[Array, " n"]) -> Scalar:
        return self.factor.astype(x.dtype) * self.energy._of_quantiles(domain, x)
