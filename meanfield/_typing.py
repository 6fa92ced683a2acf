"""Names for the arrays that everything else passes around."""

from typing import TypeAlias

from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

Scalar: TypeAlias = Float[Array, ""]
"""One real number."""
Points: TypeAlias = Float[Array, "n d"]
"""A cloud of n particles in R^d, one a row."""
Weights: TypeAlias = Float[Array, " n"]
"""Nonnegative masses of n particles, of sum 1."""
Matrix: TypeAlias = Float[Array, "rows d"]
"""A linear map: points are rows, so it acts as `x @ matrix.T`."""
Labels: TypeAlias = Int[Array, " n"]
"""One integer a particle, such as the number of its cluster."""
Key: TypeAlias = PRNGKeyArray | UInt32[Array, "2"]
"""A random key, as `jax.random.key(0)` or `jax.random.PRNGKey(0)` makes it."""
