from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .._checks import (
    as_array,
    check_draws,
    check_instances,
    check_integer,
    check_points,
    check_precision,
)
from .._door import door
from .._typing import Key, Matrix, Points, Vectors
from ._base import AbstractGeometry
from ._length import gap

Parts = tuple[Float[Array, "*batch _"], ...]


class Product(AbstractGeometry):
    """The product of geometries: tokens that carry a position, or several features of their own.

        x = (x_1, ..., x_m),  exp(x, v)_k = exp(x_k, v_k),  d(x, y)^2 = sum_k d_k(x_k, y_k)^2

    Points are those of the factors one after the other along the last axis: `Product(Sphere(3),
    Euclidean(1))` has directions and places on a line as [n, 4], `Product(Sphere(3), Sphere(2))`
    places on a ring. `split(x)` takes them apart, `join(u, s)` puts them together, and `selector(k)` is
    the matrix that takes factor k, by which attention sees it alone:

        space = Product(Sphere(3), Euclidean(1))
        see = space.selector(0)
        flow = AttentionFlow(space, Softmax(beta, see, see, see.T @ see))

    moves directions by directions, and places stay. With `L2(beta, query=M, key=M, value=see.T @ see)` and
    M = diag(1, 1, 1, a) the weights are e^{beta <u, u'> - beta a^2 (s - s')^2/2}: near places weigh
    more. `Softmax(beta)` sees and moves both.

    Derivatives of distances at coincident points are those of the factors. Raises ValueError for no
    geometry, and for points whose parts lie off theirs.
    """

    factors: tuple[AbstractGeometry, ...]
    d: int = eqx.field(static=True)

    def __init__(self, *factors: AbstractGeometry):
        remedy = "pass Product(Sphere(3), Euclidean(1))"
        made = check_instances(factors, AbstractGeometry, "geometries", remedy)
        self.factors = tuple(made)
        self.d = sum(factor.d for factor in made)

    def shown(self) -> Mapping[str, Any]:
        return {"factors": self.factors}

    @door
    def split(self, x: Vectors) -> Parts:
        """The parts of points, one for each factor."""
        if x.shape[-1:] != (self.d,):
            raise ValueError(
                f"expected points of {self.d} coordinates, got shape {list(x.shape)}; put the parts one "
                "after the other, as join does."
            )
        return tuple(jnp.split(x, self._ends, axis=-1))

    def join(self, *parts: ArrayLike) -> Vectors:
        """Points of these parts [..., d_k], one for each factor."""
        made = [check_precision(as_array(part, "the parts"), "the parts") for part in parts]
        shapes = [list(part.shape) for part in made]
        batch = shapes[0][:-1] if shapes else []
        if 0 in batch or shapes != [[*batch, factor.d] for factor in self.factors]:
            raise ValueError(
                f"expected parts of {[factor.d for factor in self.factors]} coordinates, got the shapes "
                f"{shapes}; pass one a factor, in order, of as many points each."
            )
        return jnp.concatenate(made, axis=-1)

    def selector(self, k: int) -> Matrix:
        """The matrix S [d_k, d] that takes factor k of a point: S x = x_k, and S^T S keeps it in place."""
        k = check_integer(k, "k", 0)
        if k >= len(self.factors):
            raise ValueError(f"expected k below {len(self.factors)} factors, got {k}; pass k=0.")
        return jnp.split(jnp.eye(self.d), self._ends)[k]

    @property
    def _ends(self) -> list[int]:
        """Where each part but the last ends."""
        return np.cumsum([factor.d for factor in self.factors])[:-1].tolist()

    def _each(self, name: str, *points: Array) -> Array:
        """A method of the factors, each on its part of the points."""
        parts = zip(self.factors, *map(self.split, points), strict=True)
        return jnp.concatenate([getattr(factor, name)(*own) for factor, *own in parts], axis=-1)

    @door
    def project(self, x: Vectors) -> Vectors:
        return self._each("project", x)

    @door
    def to_tangent(self, x: Vectors, v: Vectors) -> Vectors:
        return self._each("to_tangent", x, v)

    @door
    def exp(self, x: Vectors, v: Vectors) -> Vectors:
        return self._each("exp", x, v)

    @door
    def log(self, x: Vectors, y: Vectors) -> Vectors:
        return self._each("log", x, y)

    @door
    def transport(self, x: Vectors, v: Vectors, w: Vectors) -> Vectors:
        return self._each("transport", x, v, w)

    def mean_curvature(self, x: Vectors) -> Vectors:
        return self._each("mean_curvature", x)

    @door
    def distance(self, x: Vectors, y: Vectors) -> Float[Array, "*batch"]:
        pairs = zip(self.factors, self.split(x), self.split(y), strict=True)
        return gap(jnp.stack([factor.distance(a, b) for factor, a, b in pairs], axis=-1))[..., 0]

    def sample(self, key: Key, n: int) -> Points:
        key, n = check_draws(key, n)
        keys = jax.random.split(key, len(self.factors))
        drawn = [factor.sample(own, n) for factor, own in zip(self.factors, keys, strict=True)]
        return jnp.concatenate(drawn, axis=-1)

    def check(self, x, name: str = "x") -> Points:
        x = check_points(x, self.d, name)
        parts = zip(self.factors, self.split(x), strict=True)
        return jnp.concatenate([factor.check(part, name) for factor, part in parts], axis=-1)

    @door
    def extend(
        self, field: Callable[[Points], Points], x: Float[Array, "n d"]
    ) -> Float[Array, "n d"]:
        """The field at the point of the product below x, each part continued as its factor does."""
        moves = self.split(field(self.project(x)))
        parts = zip(self.factors, self.split(x), moves, strict=True)
        extended = [factor.extend(lambda _, v=v: v, part) for factor, part, v in parts]
        return jnp.concatenate(extended, axis=-1)
