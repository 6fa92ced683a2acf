import jax.numpy as jnp
from jaxtyping import Array, Float

from .._typing import Scalar


def hitting_time(
    ts: Float[Array, " saves"], values: Float[Array, " saves"], level: Float[Array, ""] | float
) -> Scalar:
    """The first time at which `values` reach `level`, from whichever side they start on.

    Linear in time between two saves, so accurate to the square of their distance. Infinity if the
    level is never reached. Raises ValueError if `ts` and `values` are not of one length.
    """
    if ts.ndim != 1 or ts.shape != values.shape or ts.shape[0] == 0:
        raise ValueError(
            f"expected ts and values of one shape [saves], got {list(ts.shape)} and "
            f"{list(values.shape)}; pass the ts and one scalar observable of a trajectory."
        )
    ahead = (values - level) * jnp.where(values[0] > level, -1, 1).astype(values.dtype)
    reached = ahead >= 0
    after = jnp.argmax(reached)
    before = jnp.maximum(after - 1, 0)
    rise = ahead[after] - ahead[before]
    share = jnp.where(after > 0, -ahead[before] / jnp.where(rise > 0, rise, 1), 0)
    return jnp.where(reached.any(), ts[before] + share * (ts[after] - ts[before]), jnp.inf)
