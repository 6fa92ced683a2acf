import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..._checks import check_nonnegative
from ..._products import weighted_sum
from ..._typing import Points, Scalar, Weights
from .._cloud_checks import cloud, map_rows, masses


def smoothed_entropy(x: Points, beta: Float[Array, ""] | float, w: Weights | None = None) -> Scalar:
    """The entropy of a cloud that a kernel of width beta^{-1/2} blurs, up to a constant.

        H = -sum_i w_i log sum_j w_j e^{-beta |x_i - x_j|^2 / 2}

    0 for one cluster, log k for k equal clusters farther apart than the kernel is wide; smooth in the
    tokens, so that it has a rate along a flow, which nearest-neighbour estimates lack. On the unit
    sphere the kernel is e^{beta (<x, y> - 1)}. Cost O(n^2 d), in blocks. Raises ValueError if beta < 0.
    """
    x = cloud(x)
    beta, w = check_nonnegative(beta, "beta").astype(x.dtype), masses(w, x)
    return _smoothed_entropy(x, beta, w)


@eqx.filter_jit
def _smoothed_entropy(x: Points, beta: Scalar, w: Weights) -> Scalar:
    order = jnp.arange(len(w))

    def blurred(token: Float[Array, " d"], i: Int[Array, ""]) -> Scalar:
        near = -beta * jnp.sum((x - token) ** 2, axis=1) / 2
        # A token of no mass may be so far from all others that it sees nothing: its own row counts for 0.
        massless = (order == i) & (w == 0)
        near = jnp.where(massless, 0, near)
        return jax.scipy.special.logsumexp(near, b=jnp.where(massless, 1, w))

    return -weighted_sum(w, map_rows(blurred, x, order))
