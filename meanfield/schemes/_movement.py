"""One minimizing movement in quantiles: a convex problem, solved by Newton's method."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import cg
from jaxtyping import Array, Bool, Float, Int

from .._typing import Scalar
from ..energies import (
    AbstractEnergy,
    AbstractQuantiles,
    Circle,
    Entropy,
    InternalEnergy,
    Potential,
    terms,
)
from ._tridiagonal import solve_cyclic, solve_tridiagonal

Row = Float[Array, " n"]
Linear = Callable[[Row], Row]
Solve = Callable[[Linear, Row], Row]
MOST = 100
"""Newton steps; five are usual."""
HALVINGS = 30
KEPT = 0.1
"""The share of a gap that a step leaves at least."""


class Movement(NamedTuple):
    """What a movement reports: Newton steps, the largest force left, and whether they came to an end."""

    iterations: Int[Array, ""]
    residual: Scalar
    converged: Bool[Array, ""]


def move(
    energy: AbstractEnergy, domain: AbstractQuantiles, center: Row, start: Row, tau: Scalar
) -> tuple[Row, Movement]:
    """argmin_X E(X) + sum_i w_i (X_i - center_i)^2/(2 tau) over increasing X, from `start`.

    The Hessian is tridiagonal, with corners on the circle, if all parts of the energy are potentials
    or internal energies; it is found by three products with it (up to five on the circle), and each
    step costs O(N). Interactions make it dense: then conjugate gradients, preconditioned by the band,
    solve for a step in some products of cost O(N^2). Steps are shortened so that gaps stay positive
    and the value falls. They end once none changes a gap by more than sqrt(eps) of itself: the one
    after it would change it by eps.

    The derivative is that of the implicit function theorem. `center` need not increase.
    """
    masses = jnp.asarray(domain.masses(center.shape[0]), center.dtype)
    local = all(isinstance(part, Potential | Entropy | InternalEnergy) for _, part in terms(energy))
    make = _banded if local else _coupled
    solve, tangent_solve = make(center.shape[0], isinstance(domain, Circle))

    def value(x: Row) -> Scalar:
        return energy.on_quantiles(domain, x) + masses @ (x - center) ** 2 / (2 * tau)

    def minimize(force: Linear, x: Row) -> tuple[Row, tuple[Scalar, Scalar]]:
        return _newton(value, force, solve, domain.gaps, tau / masses, x)

    start, force = jax.lax.stop_gradient(start), jax.grad(value)
    x, (count, change) = jax.lax.custom_root(force, start, minimize, tangent_solve, has_aux=True)
    residual = jnp.abs(force(x) * tau / masses).max()
    return x, Movement(count.astype(int), residual, change <= _enough(x.dtype))


def _enough(dtype) -> float:
    """A change of gaps that is counted as none, rounding included."""
    return 1e3 * float(jnp.finfo(dtype).eps) ** 0.5


def _newton(value, force: Linear, solve, gaps: Linear, mobility: Row, x: Row):
    end = float(jnp.finfo(x.dtype).eps) ** 0.5

    def going(state):
        x, _, count, change, before = state
        # Changes that no longer fall are rounding, unless the first steps are still being shortened.
        stuck = (change < _enough(x.dtype)) & (change > 0.5 * before)
        return (count < MOST) & (change > end) & jnp.logical_not(stuck)

    def body(state):
        x, now, count, change, _ = state
        slope, hessian = jax.linearize(force, x)
        direction = -solve(hessian, slope)
        descent = slope @ direction
        # Where the problem is not convex, the direction of an explicit step.
        bad = jnp.logical_not(descent < 0)
        direction = jnp.where(bad, -mobility * slope, direction)
        relative = (gaps(x + direction) - gaps(x)) / gaps(x)
        longest = jnp.minimum(1.0, (1 - KEPT) / jnp.maximum(-relative.min(), 1e-9))
        x, now = _search(value, x, now, direction, slope @ direction, longest.astype(x.dtype))
        return x, now, count + 1, jnp.abs(relative).max(), change

    far, none = (jnp.asarray(a, x.dtype) for a in (jnp.inf, 0))
    x, _, count, change, _ = jax.lax.while_loop(going, body, (x, value(x), none, far, far))
    return x, (count, change)


def _search(value, x: Row, now: Scalar, direction: Row, slope: Scalar, t: Scalar):
    """The first of t, t/2, t/4, ... at which the value falls enough, up to rounding."""
    slack = 8 * jnp.finfo(x.dtype).eps * jnp.abs(now)

    def rising(state):
        t, new, count = state
        return jnp.logical_not(new <= now + 1e-4 * t * slope + slack) & (count < HALVINGS)

    def halve(state):
        t = state[0] / 2
        return t, value(x + t * direction), state[2] + 1

    t, new, _ = jax.lax.while_loop(rising, halve, (t, value(x + t * direction), jnp.array(0)))
    return x + t * direction, new


def _banded(n: int, cyclic: bool) -> tuple[Solve, Solve]:
    """Solutions of a (cyclic) tridiagonal system that is given by its products, and of its tangent."""
    find, solve = _bands(n, cyclic), _band_solver(cyclic)

    def solve_banded(hessian: Linear, right: Row) -> Row:
        lower, diagonal, upper = find(hessian, right.dtype)
        return solve(lower, diagonal, upper, right)

    return solve_banded, solve_banded


def _coupled(n: int, cyclic: bool) -> tuple[Solve, Solve]:
    """The same for a system that is tridiagonal up to small and smooth entries elsewhere.

    What they add to the bands that `_bands` finds is their mean over a third of the columns. The
    tangent system is solved in full, since conjugate gradients cannot be transposed here.
    """
    find, solve = _bands(n, cyclic), _band_solver(cyclic)

    def solve_coupled(hessian: Linear, right: Row) -> Row:
        lower, diagonal, upper = find(hessian, right.dtype)
        side = (jnp.roll(lower, -1) + upper) / 2
        precondition = lambda r: solve(jnp.roll(side, 1), diagonal, side, r)
        end = float(jnp.finfo(right.dtype).eps) ** 0.75
        return cg(hessian, right, M=precondition, tol=end, maxiter=n)[0]

    def solve_full(hessian: Linear, right: Row) -> Row:
        rows = jax.lax.map(hessian, jnp.eye(n, dtype=right.dtype), batch_size=16)
        return jnp.linalg.solve(rows, right)

    return solve_coupled, solve_full


def _band_solver(cyclic: bool) -> Callable[[Row, Row, Row, Row], Row]:
    return solve_cyclic if cyclic else solve_tridiagonal


def _bands(n: int, cyclic: bool):
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
