"""Names for the arrays that everything else passes around."""

from typing import TypeAlias

from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

Scalar: TypeAlias = Float[Array, ""]
"""One real number."""
Points: TypeAlias = Float[Array, "n d"]
"""A cloud of n particles in R^d, one a row."""
Vectors: TypeAlias = Float[Array, "*batch d"]
"""Points of R^d, or vectors at points: one, or a batch of any shape."""
Clouds: TypeAlias = Float[Array, "models n d"]
"""The clouds of several models, of n particles each."""
Coefficients: TypeAlias = Float[Array, " k"]
"""A function or a density on the sphere, in a basis of harmonics."""
Sources: TypeAlias = Float[Array, "m d"]
"""The m points that act on others."""
Masses: TypeAlias = Float[Array, " m"]
"""Their weights, of sum 1."""
Outputs: TypeAlias = Float[Array, "n e"]
"""What attention gives to each of n points: a vector of R^e."""
Weights: TypeAlias = Float[Array, " n"]
"""Nonnegative masses of n particles, of sum 1."""
Matrix: TypeAlias = Float[Array, "rows d"]
"""A linear map: points are rows, so it acts as `x @ matrix.T`."""
Labels: TypeAlias = Int[Array, " n"]
"""One integer a particle, such as the number of its cluster."""
Key: TypeAlias = PRNGKeyArray | UInt32[Array, "2"]
"""A random key, as `jax.random.key(0)` or `jax.random.PRNGKey(0)` makes it."""
