import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Row = Float[Array, " n"]


def solve_chain(
    sums: Row, forth: Row, back: Row, right: Row, cyclic: bool
) -> tuple[Row, Float[Array, ""]]:
    """The solution for the (cyclic) tridiagonal matrix A with the sums `sums` of its columns, and
    A[i+1, i] = -forth[i], A[i, i+1] = -back[i]; and the least pivot, positive if A is so (or an M-matrix).

    forth[-1] and back[-1] close the circle. Where sums, forth and back are not negative nothing is
    subtracted: a right side >= 0 has a solution >= 0, and each number of it is right to a relative
    rounding, whatever the condition (Alfa, Xue, Ye 2002, doi:10.1090/S0025-5718-01-01325-4).
    """
    if not cyclic:
        x, pivots = _eliminate(sums, forth.at[-1].set(0), back.at[-1].set(0), right[:, None])
        return x[:, 0], pivots.min()
    # The last unknown is a border of the others: A = (T, -u; -v, c), where T has the sums s + v.
    none = jnp.zeros_like(sums[:-1])
    u = none.at[0].set(forth[-1]).at[-1].add(back[-2])
    v = none.at[0].set(back[-1]).at[-1].add(forth[-2])
    inner = forth[:-1].at[-1].set(0), back[:-1].at[-1].set(0)
    both = jnp.stack([right[:-1], u], axis=1)
    solved, pivots = _eliminate(sums[:-1] + v, *inner, both)
    pivot = sums[-1] + sums[:-1] @ solved[:, 1]
    last = (right[-1] + v @ solved[:, 0]) / pivot
    x = solved[:, 0] + last * solved[:, 1]
    return jnp.append(x, last), jnp.minimum(pivots.min(), pivot)


def _eliminate(
    sums: Row, forth: Row, back: Row, right: Float[Array, "n k"]
) -> tuple[Float[Array, "n k"], Row]:
    """Solutions by elimination, with forth[-1] = back[-1] = 0, and the pivots.

    The pivots have a pass of their own: the others are linear in the right side, and so transposable.
    """

    def reduce(above, row):
        s, f, b = row
        rest = s + above
        pivot = rest + f
        return rest / pivot * b, pivot

    def down(above, row):
        r, ratio = row
        carried = r + above
        return ratio * carried, carried

    def up(below, row):
        carried, pivot, b = row
        x = (carried + b * below) / pivot
        return x, x

    none = jnp.zeros_like(right[0])
    _, pivots = jax.lax.scan(reduce, jnp.zeros_like(sums[0]), (sums, forth, back))
    _, carried = jax.lax.scan(down, none, (right, forth / pivots))
    _, x = jax.lax.scan(up, none, (carried, pivots, back), reverse=True)
    return x, pivots
