import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_finite, guard


def check_start(x0, models: int) -> Float[Array, "models *shape"]:
    """Where the models of an exact game are at the start: a row each."""
    x0 = check_finite(x0, "x0")
    if x0.ndim == 0 or x0.shape[0] != models:
        raise ValueError(
            f"expected x0 of shape [{models}, n], got {list(x0.shape)}; pass one row a model."
        )
    return x0


def check_quantiles(x0: Float[Array, "models *shape"]) -> Float[Array, "models *shape"]:
    """Quantiles that increase, a row a model; NaN for traced ones that do not."""
    rising = (jnp.diff(x0 if x0.ndim > 1 else x0[:, None], axis=-1) >= 0).all()
    message = "expected increasing quantiles x0; sort each row, or pass quantiles=False."
    return jnp.where(rising, guard(x0, rising, message), jnp.nan)
