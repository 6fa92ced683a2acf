import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._typing import Scalar
from ._implicit import Pair
from ._marginals import Problem

LARGEST = 400
"""Points of either cloud up to which a linear system of their size is quick."""
_STEPS = 100


def has_newton(problem: Problem) -> bool:
    """Whether the problem is small enough, balanced, and has its costs as a matrix."""
    small = max(problem.geometry.shape) <= LARGEST
    return (
        small
        and problem.taus is None
        and getattr(problem.geometry, "_cost_matrix", None) is not None
    )


def newton(problem: Problem, pair: Pair, tol: Scalar, wanted: Bool[Array, ""]):
    """Potentials whose marginals are right to `tol`, from those of a pair that is not far off; the
    steps; and whether they are right.

    Newton's method for the semi-dual D(g) = <a, f(g)> + <b, g>, f(g) optimal for g, which is concave:

        (C - P^T A^{-1} P + damping B) dg = eps (b - P^T 1),    C = diag(P^T 1),  A, B = diag(a), diag(b)

    Sinkhorn's iteration multiplies errors by 1 less the least eigenvalue of that matrix, tiny at a
    small epsilon; to this one the eigenvalue does not matter. The damping falls with steps that raise D
    and grows with others. No steps where none are `wanted`. Source: Brauer, Clason, Lorenz, Wirth,
    arXiv 1710.06635.
    """
    a, b, eps = problem.a, problem.b, problem.epsilon
    unit, (here, there) = float(jnp.finfo(a.dtype).eps), problem.present()
    root, mass = jnp.where(there, jnp.sqrt(b), 1), jnp.where(here, a, 1)
    kept = jnp.where(there, root, 0)
    both = here[:, None] & there

    def at(g: Float[Array, " m"]):
        f = problem.update(g, 1)
        exponent = (f[:, None] + g - problem.geometry.cost_matrix) / eps
        plan = a[:, None] * b * jnp.exp(jnp.where(both, exponent, 0))
        sizes = jnp.where(here, jnp.abs(a * f), 0).sum() + jnp.where(there, jnp.abs(b * g), 0).sum()
        value = jnp.where(here, a * f, 0).sum() + jnp.where(there, b * g, 0).sum()
        return plan, value, 4 * unit * sizes

    def step(carry):
        g, (plan, value, slack), damping, count, _ = carry
        columns = plan.sum(axis=0)
        hessian = jnp.diag(columns) - plan.T @ (plan / mass[:, None])
        ridge = jnp.where(there, damping, 1)
        matrix = hessian / root[:, None] / root + jnp.diag(ridge) + kept[:, None] * kept
        right = jnp.where(there, b - columns, 0) / root
        moved = g + eps * jax.scipy.linalg.solve(matrix, right, assume_a="pos") / root
        after = at(moved)
        better = after[1] >= value - slack  # NaN is not
        g, now = jax.tree.map(
            lambda p, q: jnp.where(better, p, q), (moved, after), (g, (plan, value, slack))
        )
        damping = jnp.where(better, jnp.maximum(damping / 10, unit), 4 * damping)
        return g, now, damping, count + 1, jnp.abs(now[0].sum(axis=0) - b).sum()

    def going(carry):
        *_, count, error = carry
        return wanted & (error > tol) & (count < _STEPS)

    g = jnp.where(there, pair[1], 0)
    far = jnp.full((), jnp.inf, a.dtype)
    first = g, at(g), jnp.full((), 1e-2, a.dtype), jnp.asarray(0), far
    g, _, _, count, error = jax.lax.while_loop(going, step, first)
    g = jnp.where(wanted, g, pair[1])
    return problem.complete((problem.update(g, 1), g)), count, wanted & (error <= tol)
