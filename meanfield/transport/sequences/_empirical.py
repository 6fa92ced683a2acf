import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_finite, check_integer, check_positive
from ..._door import door
from ..._typing import Scalar


@door
def adapted_empirical(
    x: Float[Array, "n t d"], spacing: Scalar | float | None = None
) -> Float[Array, "n t d"]:
    """Sampled paths, rounded to a grid: the adapted empirical measure, which tends to their law.

        x_t -> spacing round(x_t / spacing),    spacing = size n^{-r},  r = adapted_rate(T, d)

    No two paths drawn from a density share a past, so that their plain empirical law tells the whole
    path by its first step, and stays far from the law in the adapted distance however many there are. On
    the grid pasts meet. Then E AW1 is of order n^{-r}, up to a logarithm for d = 2.

    - `x` [n, T, d]: n paths of T steps in R^d.
    - `spacing`: the side of the cells, in units of x; by default n^{-r} times the root mean square of
      x - mean.

    Raises ValueError for numbers that are not finite and spacing <= 0.
    Source: Backhoff, Bartl, Beiglboeck, Wiesel, arXiv 2002.07261.
    """
    x = check_finite(x, "x")
    n, steps, d = x.shape
    if spacing is None:
        size = jnp.sqrt(jnp.mean(jnp.sum((x - x.mean(axis=0)) ** 2, axis=-1)) / d)
        side = jnp.where(size > 0, size, 1) * n ** -adapted_rate(steps, d)
    else:
        side = check_positive(spacing, "spacing").astype(x.dtype)
        side = jnp.where(side > 0, side, jnp.nan)
    return side * jnp.round(x / side)


@door
def adapted_rate(t: int, d: int) -> float:
    """The power r of the mean error n^{-r} of the adapted empirical measure of t steps in R^d.

    1/(t + 1) for d = 1, 1/(d t) beyond, where d = 2 has a logarithm too. Raises ValueError for numbers
    less than 1. Source: as for `adapted_empirical`.
    """
    steps, d = check_integer(t, "t"), check_integer(d, "d")
    return 1 / (steps + 1) if d == 1 else 1 / (d * steps)
