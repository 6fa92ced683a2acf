"""Whether fixed steps amplify what the flow damps."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from ..._typing import Scalar
from ...dynamics import AbstractDynamics
from ._tableaus import tableau_of

ROOM = 1e-3
"""Of a motion that turns back at each step, as about a rest that it overshoots, |R| is 1 but for rounding."""


def stable(
    dynamics: AbstractDynamics, solver: diffrax.AbstractSolver, t: Scalar, dt: Scalar, state, args
) -> Bool[Array, ""]:
    """Whether steps of length dt are as short as the method needs them, where a run has come to.

    On y' = -rate y a step multiplies y by R(-dt rate). The rate is taken along the motion f itself,
    from f(y) and f(y + dt f(y)): where |R| > 1 the steps grow though the flow decays. Methods whose R
    is no polynomial are taken for stable.
    """
    powers = _growth(solver)
    if powers is None:
        return jnp.array(True)

    def push(y, _):
        move = jax.tree.map(lambda a: dt.astype(a.dtype) * a, dynamics.drift(t, y, args))
        return jax.tree.map(jnp.add, y, move), move

    state = jax.lax.stop_gradient(state)
    _, moves = jax.lax.scan(push, state, length=2)
    first, second = (jax.tree.map(lambda a, i=i: a[i], moves) for i in (0, 1))
    square, size = _dot(first, first), _dot(state, state)
    rate = 1 - _dot(first, second) / jnp.where(square > 0, square, 1)
    moves_on = square > jnp.finfo(square.dtype).eps * size
    grows = jnp.abs(jnp.polyval(jnp.asarray(powers, rate.dtype), -rate)) > 1 + ROOM
    return ~(moves_on & (rate > 0) & grows)


def checks(solver: diffrax.AbstractSolver) -> int:
    """The right-hand sides that `stable` asks for."""
    return 0 if _growth(solver) is None else 2


def _growth(solver: diffrax.AbstractSolver) -> np.ndarray | None:
    """The coefficients of R, the highest first: 1 + sum_k z^k b^T A^(k-1) 1."""
    if isinstance(solver, diffrax.Euler):
        return np.array([1.0, 1.0])
    tableau = tableau_of(solver)
    if tableau is None:
        return None
    stages = len(tableau.b_sol)
    a, part, powers = np.zeros((stages, stages)), np.ones(stages), [1.0]
    for row, lower in enumerate(tableau.a_lower, start=1):
        a[row, :row] = lower
    for _ in range(stages):
        powers.append(float(np.asarray(tableau.b_sol) @ part))
        part = a @ part
    return np.array(powers[::-1])


def _dot(a, b) -> Scalar:
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    products = [jnp.vdot(x, y) for x, y in pairs]
    return sum(products[1:], start=products[0])
