import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..._checks import check_finite, check_integer, check_nonnegative, check_positive, check_weights
from ..._door import door
from ..._typing import Clouds, Scalar
from ..costs import Cost, as_cost, point_geometry, space_of, weights_or_uniform
from ..distances import (
    MAX_ITERATIONS,
    RELATIVE_EPSILON,
    certified,
    check_cloud,
    conditional_mean,
    own_mean,
    regularization,
    solve_small,
)
from ..sinkhorn import solve
from ._free_support import Models, field, mixed, no_potentials, rounding, size_of

_MOMENTUM = 0.5
"""How much of the last move is made again: the objective is about flat in fine details. Plain steps leave
more; Nesterov's growing momentum diverges on the sphere. Between clusters the step is too long by itself:
where a move turns back, half of it is made, without momentum."""
_SETTLED = 1e-10
"""Steps below this part of sqrt(epsilon) are not worth another one."""


@door
def barycenter_displacement(
    clouds: Clouds,
    weights: Float[Array, " models"] | None = None,
    *,
    epsilon: Scalar | float | None = None,
    relative_epsilon: Scalar | float = RELATIVE_EPSILON,
    masses: Float[Array, "_ _"] | None = None,
    cost: Cost | None = None,
    steps: int = 32,
    residual: Scalar | float = 0.03,
    tol: Scalar | float = 1e-8,
    max_iterations: int = MAX_ITERATIONS,
) -> Clouds:
    """What carries each of N clouds to their barycenter: u_i = displacement(x_i, bar) = T_i - id.

        bar = argmin_x sum_i w_i S_epsilon(x, x_i),    u_i = -grad_i min_x sum_j w_j S(x, x_j) / (2 w_i a_i)

    By the envelope theorem the barycenter counts as constant in the gradient. It has n points, and is
    found by `steps` steps, with momentum, from means of one point of each cloud, matched at random: a
    smooth function of the clouds, which an integrator can follow. The best of them counts. The error that
    the iteration leaves in u is of the order of the step that would come next. Where that is longer than
    `residual` times sqrt(epsilon), root mean square, and than rounding makes it, u is NaN: allow more steps.

    Equal to `consensus_displacement` for two clouds and where optimal maps compose: on the line, for
    Diracs, for shifted and scaled copies of each other, all up to the error of `displacement`. For three
    normal clouds or more that one is off by some percent, and by up to half for condition numbers of
    100. Exactly sum_i w_i mean u_i = 0.

    `clouds` [N, n, d]; `weights` [N] of the models and `masses` [N, n] of their points sum to 1, uniform
    by default: a model with fewer points has some of mass 0. `epsilon`, `relative_epsilon`, `cost`, `tol` and
    `max_iterations` as in `displacement`, the mean cost being that over the points of all clouds.
    Raises ValueError for shapes that do not fit and for numbers that are not positive.

    Source: Agueh and Carlier, SIAM J. Math. Anal. 43 (2011), for the barycenter; the iteration of
    Cuturi and Doucet, arXiv 1310.4375, algorithm 2.
    """
    p = _check(clouds, weights, masses, cost, epsilon, relative_epsilon)
    residual = check_positive(residual, "residual").astype(p.x.dtype)
    tol = check_nonnegative(tol, "tol").astype(p.x.dtype)
    return _to_barycenter(p, residual, tol, check_integer(steps, "steps"), max_iterations)


def _solved_once(primitive, *_, **__) -> bool:
    """What a gradient keeps of each step: what iterations have found, and not the matrices behind it."""
    return primitive.name in ("while", "scan")


@eqx.filter_jit
def _to_barycenter(p: Models, residual, tol, steps: int, max_iterations: int) -> Clouds:
    n, dtype = p.x.shape[1], p.x.dtype
    mass, start, far = jnp.full(n, 1 / n, dtype), mixed(p, n), jnp.full((), jnp.inf, dtype)

    @functools.partial(jax.checkpoint, policy=_solved_once)
    def again(points, potentials):
        return field(p, points, mass, True, potentials, tol, max_iterations)

    def step(carry, count):
        def go(_):
            points, before, move, pace, ahead, potentials, *_, best = carry
            moved = p.space.exp(points, pace * move)
            points = p.space.project(moved + ahead * (moved - before))
            last = move
            move, potentials, ok = again(points, potentials)
            back = jnp.sum(move * last) < 0
            pace = jnp.where(back, pace / 2, jnp.minimum(1.1 * pace, 1))
            ahead = jnp.where(back | (count == 0), 0, _MOMENTUM).astype(dtype)
            left = size_of(move, mass)
            # Between clusters rounding may lead on, from one critical point to the next.
            found, nearer = (points, potentials.f, left), ok & (left <= best[2])
            best = jax.tree.map(lambda new, old: jnp.where(nearer, new, old), found, best)
            return points, moved, move, pace, ahead, potentials, left, ok, best

        *_, left, ok, _ = carry
        over = (left <= _SETTLED * jnp.sqrt(p.epsilon)) | ~ok
        return jax.lax.cond(over, lambda _: carry, go, None), None

    # The first of the fields is that of the start, to which no step has led.
    pace, ahead = jnp.ones((), dtype), jnp.zeros((), dtype)
    none, ok = no_potentials(p, start), jnp.asarray(True)
    first = start, start, 0 * start, pace, ahead, none, far, ok, (start, none.f, far)
    last, _ = jax.lax.scan(step, first, jnp.arange(steps + 1))
    *_, (points, f, left) = last

    longest = jnp.maximum(residual * jnp.sqrt(p.epsilon), rounding(p))
    moves, known = _toward(p, points, mass, f, tol, max_iterations)
    return certified(moves, known & (left <= longest))


def _toward(
    p: Models, points, mass, f: Float[Array, "models n"], tol, max_iterations: int
) -> tuple[Clouds, Bool[Array, ""]]:
    """The displacements of clouds to points, by potentials f of these for each cloud, without bias; and
    whether the problems of clouds with themselves are solved."""

    def one(x, a, f):
        own, known = own_mean(x, a, p.cost, p.epsilon, tol, max_iterations)
        return conditional_mean(x, points, mass, f, p.cost, p.epsilon) - own, known

    moves, known = jax.vmap(one)(p.x, p.a, f)
    return moves, known.all()


@door
def consensus_displacement(
    clouds: Clouds,
    weights: Float[Array, " models"] | None = None,
    *,
    epsilon: Scalar | float | None = None,
    relative_epsilon: Scalar | float = RELATIVE_EPSILON,
    masses: Float[Array, "_ _"] | None = None,
    cost: Cost | None = None,
    tol: Scalar | float = 1e-8,
    max_iterations: int = MAX_ITERATIONS,
) -> Clouds:
    """The mean of the displacements from each of N clouds to all: u_i = sum_j w_j displacement(x_i, x_j).

    Minus the Wasserstein gradient of `disagreement` at the same epsilon in cloud i, over 2 w_i; equally,
    the first step from cloud i of the iteration that finds the barycenter. It is the displacement to
    the barycenter where `barycenter_displacement` says. Equal clouds have none, to `tol`. NaN where
    Sinkhorn's iteration does not reach `tol`.

    Arguments and what is raised as there.
    """
    m = _check(clouds, weights, masses, cost, epsilon, relative_epsilon)
    tol = check_nonnegative(tol, "tol").astype(m.x.dtype)
    return _to_all(m, tol, max_iterations)


@eqx.filter_jit
def _to_all(m: Models, tol, max_iterations: int) -> Clouds:
    i, j = np.triu_indices(len(m.x), 1)

    def both_ways(x, y, a, b):
        geometry = point_geometry(x, y, m.cost, epsilon=m.epsilon)
        s = solve_small(geometry, a, b, tol, max_iterations)
        forth = conditional_mean(x, y, b, s.g, m.cost, m.epsilon)
        return forth, conditional_mean(y, x, a, s.f, m.cost, m.epsilon), s.converged

    forth, back, ok = jax.vmap(both_ways)(m.x[i], m.x[j], m.a[i], m.a[j])
    own, known = jax.vmap(lambda x, a: own_mean(x, a, m.cost, m.epsilon, tol, max_iterations))(
        m.x, m.a
    )
    w = m.w[:, None, None]
    total = ((w - 1) * own).at[i].add(w[j] * forth).at[j].add(w[i] * back)
    return certified(total, ok.all() & known.all())


@door
def disagreement(
    clouds: Clouds,
    weights: Float[Array, " models"] | None = None,
    *,
    epsilon: Scalar | float | None = None,
    relative_epsilon: Scalar | float = RELATIVE_EPSILON,
    masses: Float[Array, "_ _"] | None = None,
    cost: Cost | None = None,
    tol: Scalar | float = 1e-8,
    max_iterations: int = MAX_ITERATIONS,
) -> Scalar:
    """How far N clouds are from agreement: (1/2) sum_ij w_i w_j S_epsilon(x_i, x_j).

    The variance sum_i w_i |x_i - sum_j w_j x_j|^2 where each cloud is one point of R^d; on the line, and
    for small epsilon, sum_i w_i W2^2(x_i, barycenter). 0 to rounding if all agree, positive otherwise.
    NaN where Sinkhorn's iteration does not reach `tol`. Arguments as in `barycenter_displacement`; at a
    given epsilon the flow of `consensus_displacement` descends it: d/dt = -2 sum_i w_i |u_i|^2.
    """
    m = _check(clouds, weights, masses, cost, epsilon, relative_epsilon)
    tol = check_nonnegative(tol, "tol").astype(m.x.dtype)
    return _divergence_of_all(m, tol, max_iterations)


@eqx.filter_jit
def _divergence_of_all(m: Models, tol, max_iterations: int) -> Scalar:
    i, j = np.triu_indices(len(m.x), 1)

    def across(x, y, a, b):
        geometry = point_geometry(x, y, m.cost, epsilon=m.epsilon)
        s = solve_small(geometry, a, b, tol, max_iterations)
        return s.value, s.converged

    def own(x, a):
        geometry = point_geometry(x, x, m.cost, epsilon=m.epsilon)
        s = solve(geometry, a, a, tol=tol, symmetric=True, max_iterations=max_iterations)
        return s.value, s.converged

    pairs, ok = jax.vmap(across)(m.x[i], m.x[j], m.a[i], m.a[j])
    self_costs, known = jax.vmap(own)(m.x, m.a)
    total = jnp.sum(m.w[i] * m.w[j] * (pairs - (self_costs[i] + self_costs[j]) / 2))
    return certified(total, ok.all() & known.all())


def _check(clouds, weights, masses, cost, epsilon, relative_epsilon) -> Models:
    x = check_finite(clouds, "clouds")
    if x.shape[0] < 2:
        raise ValueError(
            f"expected at least two clouds, as an array [N, n, d], got {list(x.shape)}; stack them, "
            "padded with points of mass 0 where they are of different sizes."
        )
    cost = as_cost(cost)
    space = space_of(cost)(x.shape[2])
    check_cloud(x.reshape(-1, x.shape[2]), cost, "clouds")
    w = weights_or_uniform(weights, x.shape[0], x.dtype, "weights")
    uniform = jnp.full(x.shape[:2], 1 / x.shape[1], x.dtype)
    a = uniform if masses is None else check_masses(masses, x)
    pooled = x.reshape(-1, x.shape[2]), (w[:, None] * a).ravel()
    return Models(x, a, w, cost, space, regularization(epsilon, relative_epsilon, *pooled, cost))


def check_masses(masses, x: Clouds) -> Float[Array, "models n"]:
    """One mass a point, of sum 1 for each cloud."""
    if jnp.shape(masses) != x.shape[:2]:
        raise ValueError(
            f"expected masses of shape {list(x.shape[:2])}, got {list(jnp.shape(masses))}; "
            "pass one a point of each cloud."
        )
    return jnp.stack([check_weights(m, x.shape[1], "masses") for m in masses]).astype(x.dtype)
