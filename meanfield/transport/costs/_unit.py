import equinox as eqx
import jax
import jax.numpy as jnp

from ..._typing import Scalar
from ._costs import SquaredEuclidean


@eqx.filter_jit
def unit_of(x, y, a, b, cost) -> Scalar:
    """A power of 2 of the order of the distances, in which their squares do not leave the range of the
    numbers; 1 for costs that are not squares of lengths."""
    if not isinstance(cost, SquaredEuclidean):
        return jnp.ones((), x.dtype)
    x, y, a, b = jax.lax.stop_gradient((x, y, a, b))
    at = x[0] if a is None else x[jnp.argmax(a)]
    offs = [jnp.abs(z - at).max(axis=1) for z in (x, y)]
    far = [
        off if w is None else jnp.where(w > 0, off, 0) for off, w in zip(offs, (a, b), strict=True)
    ]
    size = jnp.maximum(far[0].max(), far[1].max())
    _, exponent = jnp.frexp(jnp.where(size > 0, size, 1))
    # Neither it nor its inverse, by which compiled programs multiply, leaves the range of the numbers.
    range_of = jnp.finfo(x.dtype)
    exponent = jnp.clip(exponent, range_of.minexp, range_of.maxexp - 2)
    return jnp.ldexp(jnp.ones((), x.dtype), exponent)
