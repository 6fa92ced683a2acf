import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._door import door
from ..._products import exact_products


@door
def symmetric_root(a: Float[Array, "d d"]) -> Float[Array, "d d"]:
    """The positive semidefinite square root of a positive semidefinite matrix.

    Its derivative R' solves R R' + R' R = A', which is finite at repeated eigenvalues, where that of
    an eigendecomposition is not.
    """
    return _root(a)


@jax.custom_jvp
def _root(a: Float[Array, "d d"]) -> Float[Array, "d d"]:
    values, vectors = jnp.linalg.eigh(a)
    return (vectors * jnp.sqrt(jnp.maximum(values, 0))) @ vectors.T


@_root.defjvp
@exact_products
def _root_jvp(primals, tangents):
    (a,), (da,) = primals, tangents
    values, vectors = jnp.linalg.eigh(a)
    roots = jnp.sqrt(jnp.maximum(values, 0))
    sums = roots[:, None] + roots
    inner = vectors.T @ da @ vectors / jnp.where(sums > 0, sums, 1)
    return (vectors * roots) @ vectors.T, vectors @ inner @ vectors.T
