"""One geodesic of the many between antipodes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._typing import Points, Scalar
from ...geometry import Sphere
from ._costs import AbstractCost, SquaredGeodesic
from ._ott import costs


def with_one_geodesic(cost: costs.CostFn) -> costs.CostFn:
    """The cost, with the slope of one chosen geodesic in x where a sphere has many."""
    return _OneGeodesic() if isinstance(cost, SquaredGeodesic) else cost


@jax.tree_util.register_pytree_node_class
class _OneGeodesic(AbstractCost):
    """theta^2, with -2 pi e(x) for the derivative in x at y = -x, where `SquaredGeodesic` has 0.

    e(x) is the direction from x to the first coordinate axis that is not close to x or -x: the same at
    antipodes, so that they meet half-way. Angles that rounding does not tell from pi count as pi.
    """

    def __call__(self, x: Float[Array, " d"], y: Float[Array, " d"]) -> Scalar:
        return self.all_pairs(x[None], y[None])[0, 0]

    def all_pairs(self, x: Float[Array, "n d"], y: Float[Array, "m d"]) -> Float[Array, "n m"]:
        square, fixed = SquaredGeodesic().all_pairs(x, y), jax.lax.stop_gradient(x)
        # 0, with the slope -2 pi e(x).
        slope = -2 * jnp.pi * jnp.sum((x - fixed) * _direction(fixed), axis=1)
        at = jax.lax.stop_gradient(square) >= (jnp.pi - _blur(x)) ** 2
        return jnp.where(at, jax.lax.stop_gradient(square) + slope[:, None], square)

    def check(self, x, name: str = "x") -> Points:
        return SquaredGeodesic().check(x, name)


def _blur(x: Points) -> float:
    """Within what of pi an angle is not known to differ from it: see `SquaredGeodesic`."""
    eps = float(jnp.finfo(x.dtype).eps)
    return 8 * eps if x.shape[1] <= 4 else 8 * eps**0.5


def _direction(x: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """The unit tangent vector to the first axis along which x has at most an equal share."""
    d = x.shape[1]
    # A little more than the share, for rounding: antipodes must choose the same axis.
    axis = jnp.argmax(x**2 <= 1.01 / d, axis=1)
    sphere = Sphere(d)
    return sphere.project(sphere.to_tangent(x, jax.nn.one_hot(axis, d, dtype=x.dtype)))
