"""The iteration of free-support barycenters, and its derivative at the fixed point."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..._checks import tolerance
from ..._products import exact_products, weighted_sum
from ..._shown import AbstractShown
from ..._typing import Points, Scalar, Weights
from ...geometry import AbstractGeometry, Sphere
from ..costs import point_geometry
from ..distances import (
    MAX_ITERATIONS,
    certified,
    conditional_mean,
    plan_displacement,
    solve_small,
)
from ..exact import least_plans
from ..sinkhorn import solve

_PRODUCTS = 60
"""Products with the derivative of a step, at most, of which a derivative of the result is made."""


class Models(AbstractShown):
    """Clouds x of masses a and their weights w, the cost between points, and where they live."""

    x: Float[Array, "models n d"]
    a: Float[Array, "models n"]
    w: Float[Array, " models"]
    cost: Any
    space: AbstractGeometry
    epsilon: Scalar


class Potentials(AbstractShown):
    """Potentials at the points: of the problems with each cloud, and of that with themselves."""

    f: Float[Array, "models k"]
    own: Float[Array, " k"]


Pull = Callable[
    [Models, Points, Weights, Potentials, Scalar], tuple[Points, Potentials, Bool[Array, ""]]
]
"""Where points are drawn to, what is known then of the problems behind it, and if they are solved."""

Count = Int[Array, ""]


@eqx.filter_jit
def iterate(p: Models, start: Points, mass: Weights, pull: Pull, tol: Scalar, max_steps: Count):
    """Points, the root mean square of the move that is left, that without entropy, the steps, and
    whether the problems behind them are solved.

    Points are differentiated by the implicit function theorem, the rest is not.
    """
    points, *facts = _descend(p, start, mass, pull, tol, max_steps)
    return points, *jax.lax.stop_gradient(facts)


@eqx.filter_custom_jvp
def _descend(p: Models, start: Points, mass: Weights, pull: Pull, tol: Scalar, max_steps: Count):
    """Steps until they are short."""
    # Errors of the marginals are to be felt less than steps of that size.
    inner = jnp.minimum(1e-7, tol / 10).astype(start.dtype)

    def step(carry):
        points, move, potentials, *_, count = carry
        points = p.space.exp(points, move)
        move, potentials, ok = pull(p, points, mass, potentials, inner)
        return points, move, potentials, size_of(move, mass), ok, count + 1

    def going(carry):
        *_, size, ok, count = carry
        return (size > tol * jnp.sqrt(p.epsilon)) & ok & (count < max_steps)

    # The first of the fields is that of the start, to which no step has led.
    far, count = jnp.full((), jnp.inf, start.dtype), jnp.full((), -1)
    first = start, 0 * start, no_potentials(p, start), far, jnp.asarray(True), count
    points, _, potentials, size, ok, count = jax.lax.while_loop(going, step, first)
    if pull is not biased:
        return points, size, size, count, ok
    unbiased, _, known = debiased(p, points, mass, potentials, inner)
    return points, size, size_of(unbiased, mass), count, ok & known


@_descend.def_jvp
@exact_products
def _descend_jvp(primals, tangents):
    """x = F(x, p) moves by (1 - dF/dx)^{-1} dF/dp.

    1 - dF/dx is symmetric where it is scaled by the roots of the masses: the Hessian of half the
    objective. It is about singular in details below sqrt(epsilon), where the start decides; conjugate
    gradients that end early leave these out. NaN where they leave a part in a hundred.
    """
    (p, _, mass, pull, *_), out = primals, _descend(*primals)
    if pull is exact and tangents[0].a is not None:
        raise ValueError(
            "expected derivatives of exact plans in clouds and weights, got those in masses, which move "
            "the plans; leave out method."
        )
    inner = jnp.asarray(1e-7, mass.dtype)

    def image(p, points):
        points = p.space.project(points)
        return p.space.exp(points, pull(p, points, mass, no_potentials(p, points), inner)[0])

    _, push = eqx.filter_jvp(lambda p: image(p, out[0]), (p,), (tangents[0],))
    if push is None:
        return out, (None,) * len(out)
    _, pushed = jax.linearize(lambda points: image(p, points), out[0])
    held = (mass > 0)[:, None]
    root = jnp.where(held, jnp.sqrt(jnp.where(held, mass[:, None], 1)), 1)

    def operator(v):
        inner = jnp.where(held, v / root, 0)
        return jnp.where(held, root * (inner - pushed(inner)), v)

    def solve(operator, b):
        found = jax.scipy.sparse.linalg.cg(operator, b, tol=1e-8, maxiter=_PRODUCTS)[0]
        left = jnp.sum((b - operator(found)) ** 2)
        return certified(found, left <= 1e-4 * jnp.sum(b**2))

    moved = jax.lax.custom_linear_solve(operator, root * push, solve, symmetric=True) / root
    return out, (moved, None, None, None, None)


def no_potentials(p: Models, points: Points) -> Potentials:
    """The potentials of which nothing is known."""
    models, k = p.x.shape[0], points.shape[0]
    return Potentials(jnp.zeros((models, k), points.dtype), jnp.zeros(k, points.dtype))


def field(
    p: Models,
    points: Points,
    mass: Weights,
    debiased: bool = True,
    start: Potentials | None = None,
    tol: Scalar | float = 1e-7,
    max_iterations: int = MAX_ITERATIONS,
) -> tuple[Points, Potentials, Bool[Array, ""]]:
    """sum_i w_i displacement(points, x_i) [k, d], its potentials, and whether they are solved.

    Only the problem of the points with themselves starts from earlier potentials: from those of nearby
    points that with a cloud in clusters, started at a small epsilon, may take forever.
    """
    start = no_potentials(p, points) if start is None else start
    tol = jnp.asarray(tol).astype(points.dtype)

    def toward(y, b):
        geometry = point_geometry(points, y, p.cost, epsilon=p.epsilon)
        s = solve_small(geometry, mass, b, tol, max_iterations)
        return conditional_mean(points, y, b, s.g, p.cost, p.epsilon), s.f, s.converged

    pulls, f, known = jax.vmap(toward)(p.x, p.a)
    move, ok = jnp.tensordot(p.w, pulls, 1), known.all()
    if not debiased:
        return move, Potentials(f, start.own), ok
    geometry, init = (
        point_geometry(points, points, p.cost, epsilon=p.epsilon),
        (start.own, start.own),
    )
    s = solve(
        geometry, mass, mass, init=init, tol=tol, symmetric=True, max_iterations=max_iterations
    )
    bias = conditional_mean(points, points, mass, s.g, p.cost, p.epsilon)
    return move - bias, Potentials(f, s.f), ok & s.converged


def debiased(p: Models, points: Points, mass: Weights, start: Potentials, tol: Scalar):
    """The pull of the debiased objective."""
    return field(p, points, mass, True, start, tol)


def biased(p: Models, points: Points, mass: Weights, start: Potentials, tol: Scalar):
    """The pull of entropic plans, which contracts."""
    return field(p, points, mass, False, start, tol)


def exact(p: Models, points: Points, mass: Weights, start: Potentials, tol: Scalar):
    """The pull of exact plans: sum_i w_i E[log_x Y | x]. Prices of assignments follow the points.

    Where plans are found, they are those of points nearby too: its derivative is that with fixed plans.
    """
    costs = jax.vmap(lambda y: p.cost.all_pairs(points, y))(p.x)
    alike = start.f.shape == p.a.shape
    prices = start.f if alike else jnp.zeros_like(p.a)
    plans, prices, gaps = least_plans(costs, mass, p.a, prices)
    pulls = jax.vmap(lambda y, plan: plan_displacement(points, y, plan, p.cost))(p.x, plans)
    ok = (gaps <= max(tolerance(points.dtype), 1e-9)).all()
    return jnp.tensordot(p.w, pulls, 1), Potentials(prices if alike else start.f, start.own), ok


def size_of(move: Points, mass: Weights) -> Scalar:
    """The root mean square of a move."""
    return jnp.sqrt(weighted_sum(mass, jnp.sum(move**2, axis=1)))


def rounding(p: Models) -> Scalar:
    """The length of a step that rounding of the points makes: a shorter one cannot be told from it."""
    square = p.w @ jnp.sum(p.a * jnp.sum(p.x**2, axis=2), axis=1)
    return jax.lax.stop_gradient(4 * float(jnp.finfo(p.x.dtype).eps) * jnp.sqrt(square))


def mixed(p: Models, k: int) -> Points:
    """k points that are means of one point of each cloud, drawn by mass and matched at random.

    Of clouds that have collapsed, all or all but one, they are a barycenter. The draw is the same at
    every call, so that the points move smoothly with the clouds.
    """

    def draw(i, x, a):
        levels = (np.random.default_rng(i).permutation(k) + 0.5) / k
        at = jnp.searchsorted(jnp.cumsum(a), jnp.asarray(levels, x.dtype))
        return x[jnp.minimum(at, x.shape[0] - 1)]

    drawn = jnp.stack([draw(i, x, a) for i, (x, a) in enumerate(zip(p.x, p.a, strict=True))])
    mean = jnp.tensordot(p.w, drawn, 1)
    if isinstance(p.space, Sphere):
        # A mean at the centre has no direction.
        flat = jnp.sum(mean**2, axis=1, keepdims=True) <= float(jnp.finfo(mean.dtype).eps)
        mean = jnp.where(flat, drawn[0], mean)
    return p.space.project(mean)


def apart(p: Models, points: Points, mass: Weights) -> Points:
    """The points, where some coincide the others replaced by `mixed` ones: else they never part."""
    square = p.cost.all_pairs(points, points)
    near = (square <= 1e-8 * p.epsilon) & (mass > 0)
    repeated = jnp.any(jnp.tril(near, -1), axis=1)
    return jnp.where(repeated[:, None], mixed(p, points.shape[0]), points)
