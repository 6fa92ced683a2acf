import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._door import door
from ..._typing import Points, Scalar
from ._costs import AbstractCost, SquaredEuclidean


@jax.tree_util.register_pytree_node_class
class DotProduct(AbstractCost):
    """The cost c(x, y) = -<x, y> of attention, whose kernel is e^{<x, y> / epsilon}.

    It is |x - y|^2 / 2 less terms that depend on x alone and on y alone, which potentials absorb: its
    plan at epsilon is that of `SquaredEuclidean` at 2 epsilon.
    """

    @door
    def __call__(self, x: Float[Array, " d"], y: Float[Array, " d"]) -> Scalar:
        return -jnp.vdot(x, y)

    @door
    def all_pairs(self, x: Float[Array, "n d"], y: Float[Array, "m d"]) -> Float[Array, "n m"]:
        return -x @ y.T

    def check(self, x, name: str = "x") -> Points:
        return SquaredEuclidean().check(x, name)
