import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Row = Float[Array, " n"]


def solve_tridiagonal(lower: Row, diagonal: Row, upper: Row, right: Row) -> Row:
    """The solution of a tridiagonal system; lower[0] and upper[-1] are not used."""
    return jax.lax.linalg.tridiagonal_solve(
        lower.at[0].set(0), diagonal, upper.at[-1].set(0), right[:, None]
    )[:, 0]


def solve_cyclic(lower: Row, diagonal: Row, upper: Row, right: Row) -> Row:
    """The same with corners: lower[0] couples the first row to the last unknown, upper[-1] the last
    row to the first (Sherman and Morrison)."""
    top, bottom = lower[0], upper[-1]
    gamma = -diagonal[0]
    changed = diagonal.at[0].add(-gamma).at[-1].add(-top * bottom / gamma)
    column = jnp.zeros_like(right).at[0].set(gamma).at[-1].set(bottom)
    y = solve_tridiagonal(lower, changed, upper, right)
    z = solve_tridiagonal(lower, changed, upper, column)
    factor = (y[0] + top * y[-1] / gamma) / (1 + z[0] + top * z[-1] / gamma)
    return y - factor * z
