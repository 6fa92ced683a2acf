"""The iteration of free-support barycenters, and its derivative at the fixed point."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._typing import Points, Scalar
from ..geometry import AbstractGeometry
from ._displacement import conditional_mean
from ._geometry import point_geometry
from ._sinkhorn import solve

_PRODUCTS = 60
"""Products with the derivative of a step, at most, of which a derivative of the result is made."""


class Models(eqx.Module):
    """Clouds x of masses a and their weights w, the cost between points, and where they live."""

    x: Float[Array, "models n d"]
    a: Float[Array, "models n"]
    w: Float[Array, " models"]
    cost: Any
    space: AbstractGeometry
    epsilon: Scalar


@eqx.filter_jit
def iterate(p: Models, start: Points, debiased: bool, tol: Scalar, max_steps: int):
    """Points, the root mean square of the move that is left, that without entropy, and the steps.

    Points are differentiated by the implicit function theorem, the rest is not.
    """
    points, *facts = _descend(p, start, debiased, tol, max_steps)
    return points, *jax.lax.stop_gradient(facts)


@eqx.filter_custom_jvp
def _descend(p: Models, start: Points, debiased: bool, tol: Scalar, max_steps: int):
    """Steps until they are short, each Sinkhorn solve warm-started from the last one."""
    k, (models, n, _), dtype = start.shape[0], p.x.shape, p.x.dtype

    def step(carry):
        points, move, potentials, _, count = carry
        points = p.space.exp(points, move)
        move, potentials = field(p, points, debiased, potentials)
        return points, move, potentials, _size(move), count + 1

    def going(carry):
        return (carry[3] > tol * jnp.sqrt(p.epsilon)) & (carry[4] < max_steps)

    own = jnp.zeros(k, dtype), jnp.zeros(k, dtype)
    zeros = (jnp.zeros((models, k), dtype), jnp.zeros((models, n), dtype)), own
    # The first of the fields is that of the start, to which no step has led.
    first = start, 0 * start, zeros, jnp.full((), jnp.inf, dtype), jnp.full((), -1)
    points, move, potentials, size, count = jax.lax.while_loop(going, step, first)
    unbiased = move if debiased else field(p, points, True, potentials)[0]
    return points, size, _size(unbiased), count


@_descend.def_jvp
def _descend_jvp(primals, tangents):
    """x = F(x, p) moves by (1 - dF/dx)^{-1} dF/dp.

    1 - dF/dx is symmetric: the Hessian of half the objective, over the mass of a point. It is about
    singular in details below sqrt(epsilon), where the start decides; conjugate gradients that end early
    leave these out.
    """
    (p, _, debiased, *_), out = primals, _descend(*primals)

    def image(p, points):
        points = p.space.project(points)
        return p.space.exp(points, field(p, points, debiased)[0])

    _, push = eqx.filter_jvp(lambda p: image(p, out[0]), (p,), (tangents[0],))
    if push is None:
        return out, (None,) * len(out)
    _, pushed = jax.linearize(lambda points: image(p, points), out[0])

    def solve(operator, b):
        return jax.scipy.sparse.linalg.cg(operator, b, tol=1e-8, maxiter=_PRODUCTS)[0]

    moved = jax.lax.custom_linear_solve(lambda v: v - pushed(v), push, solve, symmetric=True)
    return out, (moved, None, None, None)


def field(p: Models, points: Points, debiased: bool, start=(None, None)):
    """sum_i w_i displacement(points, x_i) [k, d], and the potentials of its Sinkhorn problems."""
    k, dtype = points.shape[0], p.x.dtype
    mass = jnp.full(k, 1 / k, dtype)

    def mean(y, b, init, symmetric):
        geometry = point_geometry(points, y, p.cost, epsilon=p.epsilon)
        s = solve(geometry, mass, b, init=init, tol=1e-7, symmetric=symmetric)
        return conditional_mean(points, y, b, s.g, p.cost, p.epsilon), (s.f, s.g)

    pulls, others = jax.vmap(lambda y, b, init: mean(y, b, init, False))(p.x, p.a, start[0])
    move, own = jnp.tensordot(p.w, pulls, 1), start[1]
    if debiased:
        bias, own = mean(points, mass, own, True)
        move = move - bias
    return move, (others, own)


def _size(move: Points) -> Scalar:
    return jnp.sqrt(jnp.sum(move**2, axis=1).mean())
