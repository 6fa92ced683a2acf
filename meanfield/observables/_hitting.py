import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .._checks import as_array, check_precision, check_scalar
from .._typing import Scalar


def hitting_time(
    ts: Float[Array, " saves"],
    values: Float[Array, " saves"] | Int[Array, " saves"],
    level: Float[Array, ""] | float,
) -> Scalar:
    """The first time at which `values` reach `level`, from whichever side they start on.

    Linear in time between two saves, so accurate to the square of their distance. Infinity if the
    level is never reached; NaN if a save is missing (NaN or infinite) before it is, as those of a run that
    stopped are. Raises ValueError if `ts` and `values` are not of one length.
    """
    ts = check_precision(as_array(ts, "ts"), "ts")
    values, level = as_array(values, "values"), check_scalar(level, "level").astype(ts.dtype)
    if ts.ndim != 1 or ts.shape != values.shape or ts.shape[0] == 0:
        raise ValueError(
            f"expected ts and values of one shape [saves], got {list(ts.shape)} and "
            f"{list(values.shape)}; pass the ts and one scalar observable of a trajectory."
        )
    values = values.astype(ts.dtype) if jnp.issubdtype(values.dtype, jnp.integer) else values
    values = check_precision(values, "values").astype(ts.dtype)
    ahead = (values - level) * jnp.where(values[0] > level, -1, 1).astype(ts.dtype)
    missing = ~(jnp.isfinite(values) & jnp.isfinite(ts))
    reached = (ahead >= 0) | missing
    after = jnp.argmax(reached)
    before = jnp.maximum(after - 1, 0)
    rise = ahead[after] - ahead[before]
    share = jnp.where(after > 0, -ahead[before] / jnp.where(rise > 0, rise, 1), 0)
    time = jnp.where(reached.any(), ts[before] + share * (ts[after] - ts[before]), jnp.inf)
    return jnp.where(missing[after] | jnp.isnan(level), jnp.nan, time)
