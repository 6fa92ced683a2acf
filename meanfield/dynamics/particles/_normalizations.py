import abc
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_nonnegative, guard
from ..._door import AbstractChecked
from ..._hooks import default
from ..._typing import Points, Scalar
from ...geometry import Sphere
from .._base import as_strength

Radii = Float[Array, " n"]


class AbstractNormalization(AbstractChecked):
    """Where layer normalization stands: it sets the speed at which directions move.

    theta_j' = P A_j / s_j and r_j' = growth_j, where A is the attention at the directions theta.
    Source: Karagodin, Ge, Polyanskiy, Rigollet, arXiv 2510.22026.
    """

    EXAMPLE = "PreNorm()"

    radial: ClassVar[bool]
    """Whether the state has radii: (directions [n, d], radii [n]) instead of directions alone."""

    @abc.abstractmethod
    def scale(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        """s_j, by which the velocity of each direction is divided; 0, where the field is 0, leaves it."""

    @default
    def growth(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        """r_j', the velocity of each radius: 0, by default."""
        return jnp.zeros_like(r)

    @default
    def jumps(self) -> Float[Array, " jumps"] | None:
        """The times at which the scale jumps; None, by default, if never."""
        return None


def _along(theta: Points, field: Points) -> Radii:
    return jnp.sum(theta * field, axis=-1)


def _length(field: Points) -> Radii:
    """|field|, with the gradient 0 where it is 0."""
    square = jnp.sum(field**2, axis=-1)
    return jnp.where(square == 0, 0, jnp.sqrt(jnp.where(square == 0, 1, square)))


def over(part: Array, scale: Array) -> Array:
    """part/scale, and 0 where the scale is 0: what adds nothing moves nothing."""
    return jnp.where(scale == 0, 0, part / jnp.where(scale == 0, 1, scale))


def _unit(x: Points) -> Points:
    return Sphere(x.shape[-1]).project(x)


class PostNorm(AbstractNormalization):
    """Post-LN, normalization after each residual sum: s = 1. Clusters form like e^{-2t}."""

    radial = False

    def scale(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        return jnp.ones_like(r)

    def layer(self, x: Points, f: Callable[[Points], Points], step: Scalar) -> Points:
        """One residual layer: x <- N(x + step f(x)), with N(x) = x/|x|."""
        return _unit(x + step * f(x))


class PreNorm(AbstractNormalization):
    """Pre-LN, normalization before attention: s = r, r' = <theta, A>. Clusters form like t^-2."""

    radial = True

    def scale(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        return r

    def growth(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        return _along(theta, field)

    def layer(self, x: Points, f: Callable[[Points], Points], step: Scalar) -> Points:
        """One residual layer: x <- x + step f(N(x)), with N(x) = x/|x|."""
        return x + step * f(_unit(x))


class PeriNorm(AbstractNormalization):
    """Peri-LN, normalization before and after attention: s = r |A|, r' = <theta, A>/|A|."""

    radial = True

    def scale(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        return r * _length(field)

    def growth(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        return over(_along(theta, field), _length(field))

    def layer(self, x: Points, f: Callable[[Points], Points], step: Scalar) -> Points:
        """One residual layer: x <- x + step N(f(N(x))), with N(x) = x/|x|."""
        return x + step * _unit(f(_unit(x)))


class MixNorm(AbstractNormalization):
    """Mix-LN, Post-LN until the time tau, then Pre-LN: an adaptive solver lands on tau. `tau` >= 0."""

    radial = True
    tau: Scalar = eqx.field(converter=lambda a: check_nonnegative(a, "tau"))

    def _late(self, t: Scalar) -> Array:
        return t >= self.tau.astype(jnp.result_type(t))

    def scale(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        return jnp.where(self._late(t), r, 1)

    def growth(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        return jnp.where(self._late(t), _along(theta, field), 0)

    def jumps(self) -> Float[Array, " 1"]:
        return self.tau[None]


class NGPT(AbstractNormalization):
    """nGPT, normalization of the field, with a learning rate alpha: s = |A|/alpha.

    `alpha` is a positive number or a function of time.
    """

    radial = False
    alpha: Scalar | Callable[[Scalar], Scalar] = eqx.field(
        default=1.0, converter=lambda a: as_strength(a, "alpha")
    )

    def __check_init__(self):
        if not callable(self.alpha):
            message = (
                "expected alpha > 0, got a number that is not; pass a learning rate, such as 1."
            )
            guard(self.alpha, self.alpha > 0, message)

    def scale(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        alpha = self.alpha(t) if callable(self.alpha) else self.alpha
        return _length(field) / jnp.asarray(alpha).astype(field.dtype)


class SqrtNorm(AbstractNormalization):
    """LN-Scaling (sqrt-scaling), a residual weight that falls with depth: s = sqrt(t + 1).

    Clusters form like e^{-4 sqrt t}.
    """

    radial = False

    def scale(self, t: Scalar, r: Radii, theta: Points, field: Points) -> Radii:
        return jnp.sqrt(t + 1) * jnp.ones_like(r)
