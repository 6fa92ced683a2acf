import jax.numpy as jnp


def check_precision(dtype, name: str) -> None:
    """ValueError for half precision, whose marginals would be right to a percent at best."""
    if jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 32:
        raise ValueError(
            f"expected {name} in float32 or float64, got {jnp.dtype(dtype)}, too coarse for "
            "transport; cast with .astype(jnp.float32)."
        )
