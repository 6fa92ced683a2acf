"""Doubly stochastic attention: its sums, its engines and costs, its derivatives, its limits."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_attention import attend
from scipy.special import ndtri
from unit_vectors import normal, unit_vectors

import meanfield as mf
from meanfield.attention import Blockwise, Dense, Sinkhorn
from meanfield.dynamics import AttentionFlow, SinkhornFlow
from meanfield.geometry import Euclidean, Sphere
from meanfield.transport import SquaredEuclidean, SquaredGeodesic

N, D = 12, 3
X, Y = unit_vectors(0, N, D), unit_vectors(1, 5, D)
W = jnp.arange(float(N)) / jnp.arange(float(N)).sum()  # the first token has no mass
QUERY, KEY = normal(2, 2, 2, D)
VALUE = normal(3, 2, D)
TOL = 1e-12
# A query matrix, even the identity, means the alternating iteration.
ITERATIONS = [
    pytest.param(None, id="symmetric"),
    pytest.param(jnp.eye(D), id="alternating", marks=pytest.mark.slow),
]


@eqx.filter_jit
def solved(attention, *points):
    """Its solution and the weights that each query gives."""
    solution = attention.solve(*points)
    return solution, solution.conditional()


@eqx.filter_jit
def plan_of(attention, *points):
    return attention.plan(*points)


def reference(kernel, a, b):
    """The doubly stochastic scaling in the plainest way: 5,000 alternating iterations."""
    kernel, u = np.asarray(kernel), np.ones(len(a))
    for _ in range(5000):
        v = 1 / (kernel.T @ (a * u))
        u = 1 / (kernel @ (b * v))
    return u[:, None] * kernel * v * np.asarray(b)


@pytest.mark.parametrize("dtype", [jnp.float64, pytest.param(jnp.float32, marks=pytest.mark.slow)])
@pytest.mark.parametrize("query", ITERATIONS)
def test_rows_and_columns_sum_to_one_up_to_large_beta(dtype, query):
    x = unit_vectors(5, 30, D).astype(dtype)
    for beta in (1.0, 20.0, 100.0):
        attention = Sinkhorn(beta, query=query, max_iterations=20_000)
        solution, plan = solved(attention, x)
        plan = np.asarray(plan)
        assert bool(solution.converged)
        # tol is 1e-6, in single precision 2e-6 and more at beta = 100; means of n terms of size 1.
        assert float(solution.tol) <= (1e-6 if dtype == jnp.float64 else 3e-5)
        rounding = 30 * float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(plan.sum(axis=1), 1, atol=rounding)
        # The sum of |column - 1/n| is the tolerance, n times as much for the largest.
        np.testing.assert_allclose(plan.sum(axis=0), 1, atol=30 * float(solution.tol))
        assert plan.dtype == solution.f.dtype == dtype


def test_the_symmetric_iteration_needs_at_most_18_products_whatever_beta():
    x = unit_vectors(5, 64, D)
    for beta in (1.0, 9.0, 100.0, 1000.0):
        assert int(solved(Sinkhorn(beta), x)[0].iterations) <= 18
    alternating, _ = solved(Sinkhorn(9.0, query=jnp.eye(D)), x)
    assert 2 * int(alternating.iterations) > 18  # two products each


def test_weights_matrices_and_other_tokens_against_plain_scaling():
    attention = Sinkhorn(2.0, QUERY, KEY, VALUE, tol=TOL)
    x, y, w, query, key, value = (np.asarray(a) for a in (X, Y, W, QUERY, KEY, VALUE))
    plan = reference(np.exp(2 * (x @ query.T) @ (x @ key.T).T), w, w)
    np.testing.assert_allclose(attend(attention, X, None, W), plan @ x @ value.T, atol=1e-10)
    masses = w[-5:] / w[-5:].sum()
    plan = reference(np.exp(2 * (x @ query.T) @ (y @ key.T).T), np.full(N, 1 / N), masses)
    field = attend(attention, X, Y, jnp.asarray(masses))
    np.testing.assert_allclose(field, plan @ y @ value.T, atol=1e-10)
    plan = reference(np.exp(2 * x @ x.T), w, w)
    symmetric = Sinkhorn(2.0, tol=TOL)
    field, found = eqx.filter_jit(lambda a, *points: (a(*points), a.plan(*points)))(
        symmetric, X, None, W
    )
    np.testing.assert_allclose(field, plan @ x, atol=1e-11)
    np.testing.assert_allclose(found, plan, atol=1e-11)


def test_distances_and_dot_products_are_one_attention_at_convergence_only():
    x = 2 * X
    dot, far = (
        attend(Sinkhorn(0.5, cost=c, tol=TOL), x)
        for c in (mf.transport.DotProduct(), SquaredEuclidean())
    )
    np.testing.assert_allclose(dot, far, atol=1e-11)
    # A Gaussian kernel of variance eps has beta = 1/eps; the geodesic one is its own.
    x = np.asarray(x)
    kernel = np.exp(-0.25 * np.sum((x[:, None] - x) ** 2, axis=-1))
    uniform = np.full(N, 1 / N)
    np.testing.assert_allclose(far, reference(kernel, uniform, uniform) @ x, atol=1e-11)
    angles = np.arccos(np.clip(np.asarray(X) @ np.asarray(X).T, -1, 1))
    plan = reference(np.exp(-2 * angles**2), uniform, uniform)
    geodesic = Sinkhorn(4.0, cost=SquaredGeodesic(), tol=TOL)
    # arccos loses half the digits of the zero angles, whose squares are then 1e-16.
    np.testing.assert_allclose(plan_of(geodesic, X), plan, atol=1e-10)


def test_a_number_of_iterations_starts_at_softmax_and_ends_with_rows():
    kernel = np.exp(2 * np.asarray(X) @ np.asarray(X).T)
    for k in (1, 3):
        plan = kernel / kernel.sum(axis=1, keepdims=True)
        for _ in range(k):
            plan = plan / plan.sum(axis=0)
            plan = plan / plan.sum(axis=1, keepdims=True)
        attention = Sinkhorn(2.0, iterations=k)
        found, field, count = jax.jit(
            lambda x, a=attention: (a.plan(x), a(x), a.solve(x).iterations)
        )(X)
        np.testing.assert_allclose(found, plan, atol=1e-14)
        np.testing.assert_allclose(field, plan @ X, atol=1e-14)
        assert int(count) == k


@pytest.mark.parametrize("iterations", [None, 2], ids=["implicit", "unrolled"])
def test_derivatives_forward_and_backward_are_finite_differences(iterations):
    along, h = jnp.cos(jnp.arange(3.0 * N)).reshape(N, D), 1e-3

    @jax.jit
    def value(x, beta):
        field = Sinkhorn(beta, QUERY, KEY, iterations=iterations, tol=1e-13)(x, None, W)
        return jnp.sum(field * jnp.cos(jnp.arange(3.0 * N)).reshape(N, D))

    at, direction = (X, jnp.asarray(2.0)), (along, jnp.ones(()))
    forward = jax.jit(lambda at, v: jax.jvp(value, at, v)[1])(at, direction)
    backward = jax.jit(jax.grad(value, (0, 1)))(*at)
    steps = jax.vmap(lambda s: value(X + s * along, 2.0 + s))(h * jnp.array([-2.0, -1, 1, 2]))
    # Off by h^4 times a fifth derivative of order 100, and 1e-13/h.
    difference = (steps[0] - 8 * steps[1] + 8 * steps[2] - steps[3]) / (12 * h)
    np.testing.assert_allclose(forward, difference, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(jnp.vdot(backward[0], along) + backward[1], forward, rtol=1e-10)


@pytest.mark.slow
def test_blocks_equal_the_whole_matrix_with_gradients():
    def value(x, engine):
        return jnp.sum(jnp.sin(Sinkhorn(5.0, tol=TOL, engine=engine)(x, None, W)))

    for function in (value, jax.grad(value)):
        whole, blocks = (jax.jit(function, static_argnums=1)(X, e) for e in (Dense(), Blockwise(5)))
        np.testing.assert_allclose(blocks, whole, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("query", ITERATIONS)
def test_potentials_carried_along_spare_iterations_and_change_nothing(query):
    sphere, ts = Sphere(D), jnp.linspace(0.0, 4.0, 9)
    x0, attention = sphere.sample(jax.random.key(5), N), Sinkhorn(4.0, query)
    warm, cold = SinkhornFlow(sphere, attention), AttentionFlow(sphere, attention)
    look = {"x": lambda s: s[0], "count": warm.iterations}
    carried = mf.simulate(warm, x0, ts, observe=look).values
    look = {"x": lambda x: x, "count": lambda x: attention.solve(x).iterations}
    plain = mf.simulate(cold, x0, ts, observe=look).values
    # Plans are right to 1e-6 and steps to 1e-6; clustering multiplies errors by e^t or less.
    np.testing.assert_allclose(carried["x"], plain["x"], atol=1e-4)
    assert 3 * carried["count"].mean() <= plain["count"].mean(), (carried["count"], plain["count"])


def test_causal_and_cold_limits():
    # beta = 0: every token sees the mean, weighted; beta -> infinity: itself.
    mean = np.tile(np.asarray(X).mean(axis=0), (N, 1))
    np.testing.assert_allclose(attend(Sinkhorn(0.0), X), mean, atol=1e-14)
    np.testing.assert_allclose(attend(Sinkhorn(1e5), X), X, atol=1e-9)
    # Softmax with negative beta points away; the scaled kernel exists for it too.
    assert bool(solved(Sinkhorn(-2.0), X)[0].converged)


def test_small_regularization_is_the_score_of_a_gaussian():
    # (x - E[y|x])/eps -> -(1/2) grad log rho = x/(2 s); at finite eps it is x (1 - M)/eps with
    # (1 - M)/eps = (2 s + eps - sqrt(eps^2 + 4 s^2))/(2 s eps) on the line.
    s, eps = 1.0, 0.2
    x = jnp.asarray(ndtri((np.arange(400.0) + 0.5) / 400)[:, None])
    flow = AttentionFlow(
        Euclidean(1),
        Sinkhorn(1 / eps, value=-jnp.eye(1) / eps, cost=SquaredEuclidean()),
        potential=lambda x: -jnp.sum(x**2) / (2 * eps),
    )
    velocity, x = (np.asarray(a) for a in (eqx.filter_jit(flow.drift)(jnp.zeros(()), x, None), x))
    exact = (2 * s + eps - np.sqrt(eps**2 + 4 * s**2)) / (2 * s * eps) * x
    middle = np.abs(x[:, 0]) < 2
    # Quantiles of n = 400 leave 2e-3 in the middle, where 1/(2 s) would be off by eps/4 = .05.
    assert np.abs(velocity - exact)[middle].max() < 5e-3
    assert np.abs(velocity - x / 2)[middle].max() > 0.05


def test_gaussian_clouds_are_seen_by_the_closed_form():
    cov = jnp.array([[1.0, 0.3], [0.3, 0.5]])
    attention = Sinkhorn(0.7, VALUE[:, :2], KEY[:, :2], VALUE[:, 1:])
    mean = np.array([0.2, -0.1])
    field = eqx.filter_jit(attention.gaussian_field)(mean, cov)
    # Gauss-Hermite quadrature of the cloud, on which plain scaling finds the same field.
    t, v = np.polynomial.hermite_e.hermegauss(24)
    nodes = np.stack(np.meshgrid(t, t, indexing="ij"), -1).reshape(-1, 2)
    w = np.outer(v, v).ravel()
    keep = w > 1e-12 * w.max()
    nodes, w = nodes[keep], w[keep] / w[keep].sum()
    x = nodes @ np.linalg.cholesky(cov).T + mean
    seen = np.asarray(attend(attention, jnp.asarray(x), None, jnp.asarray(w)))
    affine = np.asarray(field.velocity) + (x - mean) @ np.asarray(field.gain).T
    near = np.linalg.norm(nodes, axis=1) < 2
    np.testing.assert_allclose(seen[near], affine[near], atol=2e-5)
