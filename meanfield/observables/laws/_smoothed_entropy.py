import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_nonnegative
from ..._typing import Points, Scalar, Weights
from .._cloud_checks import cloud, masses


def smoothed_entropy(x: Points, beta: Float[Array, ""] | float, w: Weights | None = None) -> Scalar:
    """The entropy of a cloud that a kernel of width beta^{-1/2} blurs, up to a constant.

        H = -sum_i w_i log sum_j w_j e^{-beta |x_i - x_j|^2 / 2}

    0 for one cluster, log k for k equal clusters farther apart than the kernel is wide; smooth in the
    tokens, so that it has a rate along a flow, which nearest-neighbour estimates lack. On the unit
    sphere the kernel is e^{beta (<x, y> - 1)}. Cost O(n^2). Raises ValueError if beta < 0.
    """
    x = cloud(x)
    beta, w = check_nonnegative(beta, "beta").astype(x.dtype), masses(w, x)
    near = -beta * _square_distances(x) / 2
    # A token of no mass may be so far from all others that it sees nothing: its own row counts for 0.
    massless = jnp.eye(len(w), dtype=bool) & (w == 0)[:, None]
    near = jnp.where(massless, 0, near)
    blurred = jax.scipy.special.logsumexp(near, axis=1, b=jnp.where(massless, 1, w))
    return -w @ blurred


def _square_distances(x: Points) -> Float[Array, "n n"]:
    return jnp.sum((x[:, None] - x[None]) ** 2, axis=-1)
