import jax
import jax.numpy as jnp
from scipy.special import digamma

from ..._typing import Points, Scalar
from .._cloud_checks import cloud, known


def gaussian_information(x: Points, y: Points) -> Scalar:
    """The information in nats that a coordinate of x has of the same one of y, mean over coordinates.

        I = -1/2 log(1 - rho^2) - [psi((n-1)/2) - psi((n-2)/2)]/2

    with rho the correlation over the n tokens: the mutual information of two normal variables, less its
    mean for independent ones, so that it is exactly unbiased there (and may be negative). It sees linear
    dependence alone, is a lower bound for normal marginals, and tends to infinity for equal clouds. A
    coordinate that is constant tells nothing.

    Raises ValueError for clouds of different shapes, and if n < 4.
    """
    x, y = cloud(x, least=4), cloud(y, least=4)
    if x.shape != y.shape or x.dtype != y.dtype:
        raise ValueError(
            f"expected clouds of one shape and dtype, got {list(x.shape)} {x.dtype} and "
            f"{list(y.shape)} {y.dtype}; pass the same tokens in the same coordinates."
        )
    n = x.shape[0]
    (a, moving), (b, turning) = _standard(x), _standard(y)
    # (1 - rho)(1 + rho), each as a mean square: 1 - rho^2 would round the least ones off.
    left = jnp.mean((a - b) ** 2, axis=0) * jnp.mean((a + b) ** 2, axis=0) / 4
    chance = float(digamma((n - 1) / 2) - digamma((n - 2) / 2)) / 2
    each = jnp.where(moving & turning, -jnp.log(left) / 2 - chance, 0)
    return known(x, known(y, each.mean()))


def _standard(x: Points):
    """Coordinates of mean 0 and variance 1, and which of them vary."""
    # The first token is taken off before the mean, which rounding may put beside a constant; and squares of
    # numbers up to 1 stay within the range of all numbers.
    x = x - x[0]
    reach = jax.lax.stop_gradient(jnp.abs(x).max(axis=0))
    moving = reach > 0
    x = x / jnp.where(moving, reach, 1)
    x = x - x.mean(axis=0)
    size = jnp.sqrt(jnp.where(moving, jnp.mean(x * x, axis=0), 1))
    return x / size, moving
