from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import check_dimension, check_draws, check_points, guard, tolerance
from .._door import door
from .._known import at_hand, at_once
from .._typing import Key, Points, Vectors
from ._base import AbstractGeometry, of_points
from ._length import gap, length, unit


class Sphere(AbstractGeometry):
    """The unit sphere S^{d-1} in R^d: `Sphere(3)` is S^2, `Sphere(2)` the circle.

    Distances are great-circle lengths, computed with atan2, so that they are accurate to rounding
    for near and for antipodal points; on the diagonal and at antipodes, where it has none, their gradient
    is 0. The Hessian of `distance(x, y)**2` at x = y is 2 P_x. Inputs of `exp` and `log` are unit
    vectors; `log` at an antipode, where no minimal geodesic is unique, returns 0.

    Raises ValueError if d < 2.
    """

    d: int = eqx.field(static=True, converter=lambda d: check_dimension(d, least=2))

    @of_points
    def project(self, x: Vectors) -> Vectors:
        return unit(x)

    @of_points
    def to_tangent(self, x: Vectors, v: Vectors) -> Vectors:
        return v - jnp.sum(x * v, axis=-1, keepdims=True) * x

    @of_points
    def exp(self, x: Vectors, v: Vectors) -> Vectors:
        cosine, sinc = _cosine_and_sinc(v)
        return self.project(cosine * x + sinc * v)

    @of_points
    def log(self, x: Vectors, y: Vectors) -> Vectors:
        # P_x y, from the difference to the nearer of x and -x: no digits are lost at either end.
        cosine = jnp.sum(x * y, axis=-1, keepdims=True)
        across = self.to_tangent(x, jnp.where(cosine < 0, y + x, y - x))
        sine = length(across)
        zero = sine == 0
        sine = jnp.where(zero, 1, sine)
        # Not over the distance: of points at rounding from each other y - x is mostly across the sphere.
        return across * jnp.where(zero, 1, jnp.arctan2(sine, cosine) / sine)

    @of_points
    def transport(self, x: Vectors, v: Vectors, w: Vectors) -> Vectors:
        # The part c v/|v| of w turns with the geodesic: w + c (-sin|v| x + (cos|v| - 1) v/|v|).
        sinc, half = _cosine_and_sinc(v)[1], _cosine_and_sinc(v / 2)[1]
        along = jnp.sum(w * v, axis=-1, keepdims=True)
        return w - along * (sinc * x + half**2 / 2 * v)

    @of_points
    def mean_curvature(self, x: Vectors) -> Vectors:
        return (1 - self.d) * x

    @of_points
    def distance(self, x: Vectors, y: Vectors) -> Float[Array, "*batch"]:
        return _distance(x, y)[..., 0]

    def sample(self, key: Key, n: int) -> Points:
        key, n = check_draws(key, n)
        return self.project(jax.random.normal(key, (n, self.d)))

    def check(self, x, name: str = "x") -> Points:
        x = check_points(x, self.d, name)
        message = (
            f"expected unit vectors in {name}, got points off the sphere; "
            "normalize them with Sphere(d).project(x), or of a Product take space.split(x)[0]."
        )
        with at_once(x), np.errstate(all="ignore"):
            values, library = at_hand(x)
            off = abs(library.linalg.norm(values, axis=-1) - 1).max()
            return guard(x, off <= tolerance(x.dtype), message)

    @door
    def extend(
        self, field: Callable[[Points], Points], x: Float[Array, "n d"]
    ) -> Float[Array, "n d"]:
        """|x| P_u field(u) with u = x/|x|: homogeneous of degree one.

        Every Runge-Kutta step of this extension commutes with a rescaling of each point, so its
        directions are exactly those of the method that returns to the sphere after each step.
        """
        u = self.project(x)
        return length(x) * self.to_tangent(u, field(u))


def _angle(x: Vectors, y: Vectors) -> Float[Array, "*batch 1"]:
    return 2 * jnp.arctan2(length(x - y), length(x + y))


@jax.custom_jvp
def _distance(x: Vectors, y: Vectors) -> Float[Array, "*batch 1"]:
    return _angle(x, y)


@_distance.defjvp
def _distance_jvp(primals, tangents):
    """Of the angle between the directions, so that second derivatives too are along the sphere."""

    def angle(x, y):
        x, y = unit(x), unit(y)
        return 2 * jnp.arctan2(gap(x - y), length(x + y))

    return jax.jvp(angle, primals, tangents)


def _cosine_and_sinc(v: Vectors) -> tuple[Float[Array, "*batch 1"], Float[Array, "*batch 1"]]:
    """cos |v| and sin |v|/|v|, smooth functions of |v|^2: near 0 by their power series."""
    square = jnp.sum(v * v, axis=-1, keepdims=True)
    small = square < 1e-3
    near, angle = jnp.where(small, square, 0), jnp.sqrt(jnp.where(small, 1, square))
    # The first terms left out are near^5/10! and near^5/11!.
    cosine = 1 - near / 2 * (1 - near / 12 * (1 - near / 30 * (1 - near / 56)))
    sinc = 1 - near / 6 * (1 - near / 20 * (1 - near / 42 * (1 - near / 72)))
    return jnp.where(small, cosine, jnp.cos(angle)), jnp.where(small, sinc, jnp.sin(angle) / angle)
