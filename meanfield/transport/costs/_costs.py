import abc

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._checks import check_finite, check_points, tolerance
from ..._door import door
from ..._products import weighted_sum
from ..._shown import OneLine
from ..._typing import Points, Scalar, Weights
from ...geometry import Sphere
from ._ott import costs


class AbstractCost(OneLine, costs.CostFn):
    """A cost of ott that knows on which points it is defined: `check`, and a fast `all_pairs`."""

    EXAMPLE = (
        "SquaredEuclidean(), cost_of(Sphere(3)), or a function of two points, such as "
        "lambda x, y: space.distance(x, y) ** 2 of a product"
    )

    @abc.abstractmethod
    def check(self, x, name: str = "x") -> Points:
        """`x` as points [n, d] that the cost takes; ValueError, with the remedy, if it is not."""


@jax.tree_util.register_pytree_node_class
class SquaredEuclidean(AbstractCost):
    """The cost c(x, y) = |x - y|^2 on R^d: its optimal transport is the squared W2 distance.

    `SquaredEuclidean().all_pairs(x, y)` is the matrix [n, m] of costs, by one matrix product about
    a median of x: exact to rounding in units of the squared diameter, wherever the clouds lie.
    """

    @door
    def __call__(self, x: Float[Array, " d"], y: Float[Array, " d"]) -> Scalar:
        return jnp.sum((x - y) ** 2)

    @door
    def all_pairs(self, x: Float[Array, "n d"], y: Float[Array, "m d"]) -> Float[Array, "n m"]:
        return _square_distances(x, y, -1)

    def check(self, x, name: str = "x") -> Points:
        x = check_finite(x, name)
        return check_points(x, x.shape[-1] if x.ndim else 1, name)

    @door
    def barycenter(self, weights: Weights, xs: Points) -> tuple[Float[Array, " d"], None]:
        """The mean sum_i w_i x_i, and nothing about convergence."""
        return weighted_sum(weights, xs) / weights.sum(), None


@jax.tree_util.register_pytree_node_class
class SquaredGeodesic(AbstractCost):
    """The cost c(x, y) = (great-circle distance)^2 on S^{d-1}, for points that are unit vectors.

        c = theta^2,  theta = 2 atan2(|x - y|, |x + y|),     d c / d x = -2 log_x(y)

    The gradient is tangent, 0 at x = y, of length 2 theta elsewhere, and set to 0 at antipodes, where
    the cost has none. One pair is exact to rounding everywhere. So is the matrix `all_pairs(x, y)` for
    d <= 4; in higher dimension it is one matrix product, exact to rounding up to an error of order
    eps / (pi - theta) next to antipodes, at most sqrt(eps).
    """

    @door
    def __call__(self, x: Float[Array, " d"], y: Float[Array, " d"]) -> Scalar:
        return _square_angle(jnp.sum((x - y) ** 2), jnp.sum((x + y) ** 2))

    @door
    def all_pairs(self, x: Float[Array, "n d"], y: Float[Array, "m d"]) -> Float[Array, "n m"]:
        return _square_angle(_square_distances(x, y, -1), _square_distances(x, y, 1))

    def check(self, x, name: str = "x") -> Points:
        x = SquaredEuclidean().check(x, name)
        if x.shape[1] < 2:
            raise ValueError(
                f"expected {name} of shape [n, d] with d >= 2 on a sphere, got {list(x.shape)}; "
                "pass unit vectors, or leave out the cost on the line."
            )
        return Sphere(x.shape[1]).check(x, name)

    @door
    def barycenter(
        self, weights: Weights, xs: Points
    ) -> tuple[Float[Array, " d"], Bool[Array, ""]]:
        """The Karcher mean argmin_z sum_i w_i theta(z, x_i)^2, and whether its iteration converged.

        z <- exp_z(sum_i w_i log_z(x_i) / sum_i w_i) from the normalized mean. No eigenvalue of the
        Hessian of theta^2 / 2 exceeds 1, so that every step decreases the objective; points within
        an open hemisphere converge in a few tens of steps to their only minimum there. Opposite a
        point the objective has a ridge and no minimum: the iteration leaves it on one great circle
        of many, and has not converged if it ends there.

        Source: Karcher (1977), doi:10.1002/cpa.3160300502; Buss and Fillmore (2001),
        doi:10.1145/502122.502124, for the sphere.
        """
        sphere, w = Sphere(xs.shape[1]), weights / weights.sum()
        mean = weighted_sum(w, xs)
        flat = jnp.sum(mean**2) > tolerance(xs.dtype) ** 2
        start = sphere.project(jnp.where(flat, mean, xs[jnp.argmax(w)]))
        # Any direction will do: that of the coordinate that is most nearly tangent.
        aside = sphere.to_tangent(start, jnp.zeros_like(start).at[jnp.argmin(start**2)].set(1.0))
        start = jnp.where(_opposite(start, w, xs), sphere.exp(start, 0.1 * aside), start)

        def step(carry):
            z, _, count = carry
            v = weighted_sum(w, sphere.log(jnp.broadcast_to(z, xs.shape), xs))
            return sphere.exp(z, v), jnp.sum(v**2), count + 1

        # The step contracts like 1 - (mean curvature): what is left is of the order of the step.
        small = tolerance(xs.dtype) ** 2 / 2.0**12
        first = (start, jnp.ones((), xs.dtype), 0)
        z, size, _ = jax.lax.while_loop(lambda c: (c[1] > small) & (c[2] < 1000), step, first)
        return z, (size <= small) & ~_opposite(z, w, xs)


def _opposite(z: Float[Array, " d"], w: Weights, xs: Points) -> Bool[Array, ""]:
    """Whether a point of positive weight is opposite to z, as far as rounding tells."""
    near = jnp.sum((z + xs) ** 2, axis=1) <= tolerance(xs.dtype) ** 2
    return (near & (w > 0)).any()


def _square_distances(
    x: Float[Array, "n d"], y: Float[Array, "m d"], sign: int
) -> Float[Array, "n m"]:
    """|x_i + sign y_j|^2: by differences in low dimension, else by one matrix product.

    In high dimension differences cost many times as much as the product.
    """
    if x.shape[1] <= 4:
        return jnp.sum((x[:, None] + sign * y[None]) ** 2, axis=-1)
    # The median of some: points far away, of mass zero perhaps, take no digits from the others.
    some = x[:: -(-x.shape[0] // 64)]
    shift = jax.lax.stop_gradient(jnp.sort(some, axis=0)[some.shape[0] // 2])
    x, y = x - shift, sign * y + shift
    return jnp.sum(x * x, axis=1)[:, None] + jnp.sum(y * y, axis=1) + 2 * x @ y.T


@jax.custom_jvp
def _square_angle(near: Float[Array, "..."], far: Float[Array, "..."]) -> Float[Array, "..."]:
    """theta^2 from near = |x - y|^2 and far = |x + y|^2; NaN, and no right angle, at infinity."""
    near, far = (jnp.where(jnp.isinf(p), jnp.nan, jnp.maximum(p, 0)) for p in (near, far))
    return (2 * jnp.arctan2(jnp.sqrt(near), jnp.sqrt(far))) ** 2


@_square_angle.defjvp
def _square_angle_jvp(primals, tangents):
    near, far = (jnp.maximum(p, 0) for p in primals)
    value = _square_angle(near, far)
    at_zero, at_antipode = near <= 0, far <= 0
    near, far = jnp.where(at_zero, 1, near), jnp.where(at_antipode, 1, far)
    sine, cosine = jnp.sqrt(near), jnp.sqrt(far)
    # d theta = 2 (cosine d sine - sine d cosine) / (near + far), and theta / sine -> 2 / cosine.
    ratio = 4 * jnp.arctan2(sine, cosine) / (near + far)
    by_near = jnp.where(at_antipode, 0, jnp.where(at_zero, 4 / far, ratio * cosine / sine))
    by_far = jnp.where(at_zero | at_antipode, 0, -ratio * sine / cosine)
    return value, by_near * tangents[0] + by_far * tangents[1]
