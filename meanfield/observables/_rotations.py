import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_finite
from .._door import door


@door
def rotations(values: Float[Array, "*batch times"]) -> Float[Array, "*batch"]:
    """How often the pair (value, change) of each series of `values` turns about the origin.

        s_i = values_i,  g_i = (values_{i+1} - values_{i-1})/2,    i = 1 ... times - 2,

    and the angles between one pair (s_i, g_i) and the next are summed, in full turns. An oscillation
    counts its periods; the sign is positive for every series that turns as an oscillation does. Scaling
    of g changes it by less than half a turn.

    A number of turns means nothing by itself: **white noise turns exactly 1/(4 sqrt 2) = .1768 times a
    step in the mean**, (times - 3)/(4 sqrt 2) in all, which is 10.6 for 63 layers. Hold it against such
    nulls. Raises ValueError for fewer than four times, and for NaN or infinity; within jit these give NaN.

    Source: the mean for white noise follows here from the law of the phase between two jointly circular
    normal variables of correlation i/sqrt 2; 10.7 rotations of activations over the layers of a
    language model: Fernando and Guitchounts (2025), arXiv 2502.12131.
    """
    values = check_finite(values, "values")
    if values.shape[-1] < 4:
        raise ValueError(
            f"expected four times or more, got {values.shape[-1]}; pass longer series, times last."
        )
    s, g = values[..., 1:-1], (values[..., 2:] - values[..., :-2]) / 2
    across = g[..., :-1] * s[..., 1:] - s[..., :-1] * g[..., 1:]
    along = s[..., :-1] * s[..., 1:] + g[..., :-1] * g[..., 1:]
    turns = jnp.arctan2(across, along).sum(axis=-1) / (2 * math.pi)
    return jnp.where(jnp.isfinite(values).all(axis=-1), turns, jnp.nan)
