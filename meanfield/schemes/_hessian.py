"""Newton's directions for Hessians that are (cyclic) tridiagonal, or nearly so, and made positive."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .._typing import Scalar
from ._newton import Linear, Solve
from ._tridiagonal import solve_chain

Row = Float[Array, " n"]
Tangent = Callable[[Linear, Row], Row]
LARGEST = 1e12
"""Where a search for a positive matrix gives up."""


def local(n: int, cyclic: bool, least: Row) -> tuple[Solve, Tangent]:
    """Newton's direction for a tridiagonal Hessian, and solutions of the tangent system.

    The matrix is kept as its row sums s and couplings k: x^T H x = sum_i s_i x_i^2
    + sum_i k_i (x_{i+1} - x_i)^2, since s is lost in the diagonal, which is larger by N^2. Where H is
    not positive, the least of some multiples of `least` that makes it so is added to its diagonal.
    """
    find = _bands(n, cyclic)

    def parts(hessian: Linear, dtype) -> tuple[Row, Row]:
        _, _, upper = find(hessian, dtype)
        return hessian(jnp.ones(n, dtype)), -upper

    def solve(hessian: Linear, slope: Row) -> tuple[Row, Bool[Array, ""]]:
        sums, k = parts(hessian, slope.dtype)

        def attempt(shift: Scalar):
            x, pivot = solve_chain(sums + shift * least, k, k, -slope, cyclic)
            return x, pivot > 0

        return _shifted(attempt, slope.dtype)

    def solve_tangent(hessian: Linear, right: Row) -> Row:
        sums, k = parts(hessian, right.dtype)

        def inverse(_, right: Row) -> Row:
            return solve_chain(sums, k, k, right, cyclic)[0]

        # Symmetric, so that gradients solve once more: jax 0.9 does not transpose the passes of a chain.
        return jax.lax.custom_linear_solve(hessian, right, inverse, symmetric=True)

    return solve, solve_tangent


def coupled(n: int, cyclic: bool, least: Row) -> tuple[Solve, Tangent]:
    """The same for a Hessian that is tridiagonal up to small and smooth entries elsewhere.

    What they add to the bands that `_bands` finds is their mean over a third of the columns: these
    precondition conjugate gradients, which end at a direction in which the Hessian is not positive.
    The tangent system is solved in full, since conjugate gradients cannot be transposed here.
    """
    find = _bands(n, cyclic)

    def solve(hessian: Linear, slope: Row) -> tuple[Row, Bool[Array, ""]]:
        lower, _, upper = find(hessian, slope.dtype)
        sums = jnp.maximum(hessian(jnp.ones_like(slope)), least)
        k = jnp.maximum(-(jnp.roll(lower, -1) + upper) / 2, 0)

        def attempt(shift: Scalar):
            more = shift * least
            return _conjugate_gradients(
                lambda v: hessian(v) + more * v,
                -slope,
                lambda r: solve_chain(sums + more, k, k, r, cyclic)[0],
            )

        return _shifted(attempt, slope.dtype)

    def solve_tangent(hessian: Linear, right: Row) -> Row:
        rows = jax.lax.map(hessian, jnp.eye(n, dtype=right.dtype), batch_size=16)
        return jnp.linalg.solve(rows, right)

    return solve, solve_tangent


def _shifted(attempt: Callable[[Scalar], tuple[Row, Bool[Array, ""]]], dtype):
    """The direction at the first shift of 0, 1, 4, 16, ... that serves, and whether that is 0."""

    def failing(state):
        shift, _, positive = state
        return jnp.logical_not(positive) & (shift < LARGEST)

    def more(state):
        shift = jnp.maximum(4 * state[0], 1)
        return shift, *attempt(shift)

    none = jnp.zeros((), dtype)
    shift, direction, positive = jax.lax.while_loop(failing, more, (none, *attempt(none)))
    return direction, positive & (shift == 0)


def _conjugate_gradients(
    matrix: Linear, right: Row, precondition: Linear
) -> tuple[Row, Bool[Array, ""]]:
    """The solution of matrix x = right, or what there is of it at the first direction in which the
    matrix is not positive; and whether there was none and the end was reached."""
    end = float(jnp.finfo(right.dtype).eps) ** 1.5
    first = precondition(right)
    size = right @ first

    def going(state):
        *_, left, count, positive = state
        return (left > end * size) & positive & (count < 2 * right.shape[0])

    def body(state):
        x, residual, along, left, count, _ = state
        image = matrix(along)
        curvature = along @ image
        positive = curvature > 0
        step = jnp.where(positive, left / jnp.where(positive, curvature, 1), 0)
        x = x + step * along
        residual = residual - step * image
        better = precondition(residual)
        now = residual @ better
        return x, residual, better + now / left * along, now, count + 1, positive

    start = jnp.zeros_like(right), right, first, size, jnp.array(0), jnp.array(True)
    x, _, _, left, _, positive = jax.lax.while_loop(going, body, start)
    return x, positive & (left <= end * size)


def _bands(n: int, cyclic: bool) -> Callable[[Linear, np.dtype], tuple[Row, ...]]:
    """The lower, middle and upper band of a (cyclic) tridiagonal matrix that is given by its products.

    Columns that are three or more apart do not meet: each third one can be asked for at a time.
    """
    whole = n - n % 3 if cyclic else n
    colour = np.where(np.arange(n) < whole, np.arange(n) % 3, 3 + np.arange(n) - whole)
    masks = colour == np.arange(colour.max() + 1)[:, None]
    bands = [np.roll(colour, shift) for shift in (1, 0, -1)]

    def find(hessian: Linear, dtype) -> tuple[Row, ...]:
        products = jax.vmap(hessian)(jnp.asarray(masks, dtype))
        return tuple(products[band, np.arange(n)] for band in bands)

    return find
