import jax
from jaxtyping import Array, Float

from ..._typing import Points, Sources
from ._pairwise import AbstractPairwise


class Relu(AbstractPairwise):
    """ReLU attention: the gradient ascent of an energy on pairs in one hemisphere.

        field(x_i) = sum_j w_j max(<x_i, y_j>, 0) V y_j

    It is `Unnormalized` with a piecewise linear kernel, and moves every token by one step of at most
    |V|: tokens that face away from each other do not interact. With V = I, E = (1/4) sum_ij w_i w_j
    max(<x_i, x_j>, 0)^2 never falls. `value` [e, d] is the identity when left out.

    Raises ValueError for clouds or a value that do not fit.
    Source: Wortsman, Lee, Gilmer, Kornblith, arXiv 2309.08586 (which divides by n too).
    """

    def kernel(self, x: Points, y: Sources) -> Float[Array, "n m"]:
        return jax.nn.relu(x @ y.T)
