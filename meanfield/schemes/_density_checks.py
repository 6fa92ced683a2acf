import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_finite, guard
from .._products import weighted_sum


def check_density(state, weights: Float[Array, " q"], remedy: str) -> Float[Array, " q"]:
    """`state` as a density at q points of these masses, nonnegative and of mass 1 to a percent."""
    state = check_finite(state, "x0")
    if state.shape != weights.shape:
        raise ValueError(
            f"expected a density at {weights.size} points, got shape {list(state.shape)}; {remedy}."
        )
    off = jnp.abs(weighted_sum(weights.astype(state.dtype), state) - 1)
    message = "expected mass 1, got another; divide the density by scheme.weights @ density."
    state = guard(state, off <= 1e-2, message)
    return guard(state, (state >= 0).all(), "expected a density >= 0, got a negative one; clip it.")
