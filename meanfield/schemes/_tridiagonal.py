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


def solve_laplacian(
    sums: Row, couplings: Row, right: Row, cyclic: bool
) -> tuple[Row, Float[Array, ""]]:
    """The solution for the symmetric matrix of x^T H x = sum_i s_i x_i^2 + sum_i k_i (x_{i+1} - x_i)^2,
    and its least pivot, which is positive exactly if the matrix is.

    Where s and k are not negative nothing is subtracted, so that rounding is relative whatever the
    condition (Alfa, Xue, Ye 2002, doi:10.1090/S0025-5718-01-01325-4). couplings[-1] closes the circle.
    """
    if not cyclic:
        x, pivots = _eliminate(sums, couplings.at[-1].set(0), right[:, None])
        return x[:, 0], pivots.min()
    # The last unknown is a border of the others: H = (T, -b; -b, c), of which T 1 = s + b.
    border = jnp.zeros_like(sums[:-1]).at[0].set(couplings[-1]).at[-1].add(couplings[-2])
    inner = couplings[:-1].at[-1].set(0)
    both = jnp.stack([right[:-1], sums[:-1]], axis=1)
    solved, pivots = _eliminate(sums[:-1] + border, inner, both)
    pivot = sums[-1] + border @ solved[:, 1]
    last = (right[-1] + border @ solved[:, 0]) / pivot
    x = solved[:, 0] + last * (1 - solved[:, 1])
    return jnp.append(x, last), jnp.minimum(pivots.min(), pivot)


def _eliminate(
    sums: Row, couplings: Row, right: Float[Array, "n k"]
) -> tuple[Float[Array, "n k"], Row]:
    """Solutions by elimination, with couplings[-1] = 0, and the pivots."""

    def down(above, row):
        (rest, carried), (s, k, r) = above, row
        rest, carried = s + rest, r + carried
        pivot = rest + k
        return (k * rest / pivot, k / pivot * carried), (pivot, carried)

    def up(below, row):
        pivot, carried, k = row
        x = (carried + k * below) / pivot
        return x, x

    none = jnp.zeros_like(right[0])
    start = jnp.zeros_like(sums[0]), none
    _, (pivots, carried) = jax.lax.scan(down, start, (sums, couplings, right))
    _, x = jax.lax.scan(up, none, (pivots, carried, couplings), reverse=True)
    return x, pivots
