from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_dimension, check_points, guard, tolerance
from .._typing import Key, Points
from ._base import AbstractGeometry


def _norm(x: Float[Array, "*batch d"]) -> Float[Array, "*batch 1"]:
    """|x| with the gradient 0, and not NaN, at x = 0."""
    square = jnp.sum(x * x, axis=-1, keepdims=True)
    safe = jnp.where(square > 0, square, 1)
    return jnp.where(square > 0, jnp.sqrt(safe), 0)


class Sphere(AbstractGeometry):
    """The unit sphere S^{d-1} in R^d: `Sphere(3)` is S^2, `Sphere(2)` the circle.

    Distances are great-circle lengths, computed with atan2, so that they are accurate to rounding
    for near and for antipodal points and have a finite gradient on the diagonal. Inputs of `exp`
    and `log` are unit vectors; `log` at an antipode, where no minimal geodesic is unique, returns 0.

    Raises ValueError if d < 2.
    """

    d: int = eqx.field(static=True, converter=lambda d: check_dimension(d, least=2))

    def project(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
        norm = _norm(x)
        return x / jnp.where(norm > 0, norm, 1)

    def to_tangent(
        self, x: Float[Array, "*batch d"], v: Float[Array, "*batch d"]
    ) -> Float[Array, "*batch d"]:
        return v - jnp.sum(x * v, axis=-1, keepdims=True) * x

    def exp(
        self, x: Float[Array, "*batch d"], v: Float[Array, "*batch d"]
    ) -> Float[Array, "*batch d"]:
        angle = _norm(v)
        return self.project(jnp.cos(angle) * x + jnp.sinc(angle / jnp.pi) * v)

    def log(
        self, x: Float[Array, "*batch d"], y: Float[Array, "*batch d"]
    ) -> Float[Array, "*batch d"]:
        # P_x y, from the difference to the nearer of x and -x: no digits are lost at either end.
        far = jnp.sum(x * y, axis=-1, keepdims=True) < 0
        across = self.to_tangent(x, jnp.where(far, y + x, y - x))
        sine = _norm(across)
        safe = jnp.where(sine > 0, sine, 1)
        return across * jnp.where(sine > 0, self.distance(x, y)[..., None] / safe, 1)

    def distance(
        self, x: Float[Array, "*batch d"], y: Float[Array, "*batch d"]
    ) -> Float[Array, "*batch"]:
        return 2 * jnp.arctan2(_norm(x - y), _norm(x + y))[..., 0]

    def sample(self, key: Key, n: int) -> Points:
        return self.project(jax.random.normal(key, (n, self.d)))

    def check(self, x, name: str = "x") -> Points:
        x = check_points(x, self.d, name)
        off = jnp.abs(jnp.linalg.norm(x, axis=-1) - 1).max()
        return guard(
            x,
            off <= tolerance(x.dtype),
            f"expected unit vectors in {name}, got points off the sphere; "
            "normalize them with Sphere(d).project(x).",
        )

    def extend(
        self, field: Callable[[Points], Points], x: Float[Array, "n d"]
    ) -> Float[Array, "n d"]:
        """|x| P_u field(u) with u = x/|x|: homogeneous of degree one.

        Every Runge-Kutta step of this extension commutes with a rescaling of each point, so its
        directions are exactly those of the method that returns to the sphere after each step.
        """
        u = self.project(x)
        return _norm(x) * self.to_tangent(u, field(u))
