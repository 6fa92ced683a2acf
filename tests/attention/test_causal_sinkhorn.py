"""Sinkhorn attention under a mask: exact plans and flows, the columns that exist, its derivatives."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_attention import attend
from refusals import check_refused, each_of
from scipy.optimize import brentq
from unit_vectors import unit_vectors

import meanfield as mf
from meanfield.attention import Blockwise, Dense, Sinkhorn, Softmax, alibi, causal, causal_columns
from meanfield.dynamics import AttentionFlow
from meanfield.geometry import Sphere

TOL = 1e-12
X = unit_vectors(0, 7, 3)
W = jnp.arange(7.0) / 21  # the first token, which the others see, has no mass
HARMONIC = np.cumsum(1 / np.arange(1.0, 8))


def circle(angles):
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)


def scaled(kernel, a, b):
    """Rows a and columns b in the plainest way: 5,000 alternating iterations."""
    kernel, v = np.asarray(kernel), np.ones(len(b))
    for _ in range(5000):
        u = a / (kernel @ v)
        v = b / (kernel.T @ u)
    return u[:, None] * kernel * v


@eqx.filter_jit
def plan_of(attention, x):
    return attention.plan(x)


def test_two_tokens_meet_by_a_law_that_beta_does_not_enter():
    # The second column is 1/2 and has one entry, so that theta' = -sin(theta)/2 from theta = 2:
    # tan(theta/2) falls by e^{-t/2}.
    flow = AttentionFlow(Sphere(2), Sinkhorn(9.0, mask=causal(2), tol=TOL))
    drift = jax.jit(lambda x: flow.drift(jnp.zeros(()), x, None))
    x, h = circle(jnp.array([0.0, 2.0])), 0.05
    for _ in range(60):
        half = drift(x + h / 2 * drift(x))
        x = flow.project(x + h / 6 * (drift(x) + 2 * half + 2 * drift(x + h / 2 * half)
            + drift(x + h * drift(x + h / 2 * half))))  # fmt: skip
    exact = 2 * np.arctan(np.tan(1.0) * np.exp(-1.5))
    assert abs(exact - 0.6689000995) < 1e-10
    # Runge-Kutta of order 4: h^4 times derivatives of order 1/10.
    assert abs(float(jnp.arctan2(x[1, 1], x[1, 0])) - exact) < 1e-6
    np.testing.assert_array_equal(x[0], [1.0, 0.0])


def test_three_equiangular_tokens_solve_a_quadratic():
    beta, g = 4.0, 0.2
    x = jnp.asarray(np.linalg.cholesky(np.eye(3) * (1 - g) + g))
    plan = plan_of(Sinkhorn(beta, mask=causal(3), tol=1e-14), x)
    ratio = math.exp(-beta * (1 - g))
    # Rows, columns and pi_21 pi_32 / (pi_22 pi_31) = e^{-beta (1 - g)} leave one unknown, pi_22.
    p = brentq(lambda p: (1 - p) * (5 / 6 - p) - ratio * p * (p - 1 / 6), 0.5, 5 / 6, xtol=1e-15)
    assert abs(p - 0.7578920542) < 1e-10
    exact = [[1, 0, 0], [1 - p, p, 0], [p - 1 / 6, 5 / 6 - p, 1 / 3]]
    np.testing.assert_allclose(plan, exact, atol=1e-12)


def test_rows_columns_and_what_beta_0_gives_back():
    n, columns = len(X), HARMONIC[-1] - np.append(0, HARMONIC[:-1])
    np.testing.assert_allclose(causal_columns(n), columns, atol=1e-14)
    np.testing.assert_allclose(causal_columns(n, 0.25), 0.75 + columns / 4, atol=1e-14)
    mean = np.tril(np.ones((n, n))) / np.arange(1, n + 1)[:, None]
    at_zero = plan_of(Sinkhorn(0.0, mask=causal(n), tol=TOL), X)
    np.testing.assert_allclose(at_zero, mean, atol=1e-12)
    kernel = np.tril(np.exp(20 * X @ X.T))
    for given, c in ((None, columns), (causal_columns(n, 0.25), 0.75 + columns / 4)):
        plan = np.asarray(plan_of(Sinkhorn(20.0, mask=causal(n), columns=given, tol=TOL), X))
        np.testing.assert_allclose(plan.sum(axis=0), c, atol=1e-10)
        np.testing.assert_allclose(plan, scaled(kernel, np.ones(n), c), atol=1e-9)
    assert abs(float(plan[-1, -1]) - (0.75 + 0.25 / n)) < 1e-10  # the last column has one entry


@pytest.mark.parametrize(
    "mask", [alibi(7, 0.5), jnp.abs(jnp.subtract.outer(*2 * [jnp.arange(7)])) < 4]
)
def test_masses_and_other_masks_against_plain_scaling(mask):
    attention = Sinkhorn(2.0, mask=mask, tol=TOL)
    bias = np.asarray(attention.mask)
    mean = np.exp(bias) * np.asarray(W)
    mean[0] = mean[0] if mean[0].sum() else np.eye(7)[0]  # of no mass, and sees none
    drawn = np.asarray(W) @ (mean / mean.sum(axis=1, keepdims=True))
    kernel = np.exp(2 * X @ X.T + bias)
    plan = scaled(kernel[1:, 1:], np.asarray(W)[1:], drawn[1:]) / np.asarray(W)[1:, None]
    found, field = jax.jit(lambda w: (attention.plan(X, None, w), attention(X, None, w)))(W)
    np.testing.assert_allclose(found[1:, 1:], plan, atol=1e-10)
    np.testing.assert_allclose(field[1:], plan @ X[1:], atol=1e-10)
    if isinstance(mask, mf.attention.Alibi):
        np.testing.assert_array_equal(field[0], 0)  # as softmax has it
        blockwise = Sinkhorn(2.0, mask=mask, tol=TOL, engine=Blockwise(3))
        blocks = jax.jit(lambda w: blockwise(X, None, w))(W)
        np.testing.assert_allclose(blocks, field, atol=1e-10)


def test_tau_leads_from_softmax_to_exact_columns():
    def plan_at(tau, w=None):
        attention = Sinkhorn(3.0, mask=causal(7), tau=tau, tol=TOL, max_iterations=20_000)
        return attention.plan(X, None, w)

    soft = jax.jit(plan_at)
    for w in (None, W):
        weights = Softmax(3.0, mask=causal(7)).weights(X, None, w)
        seeing = slice(0 if w is None else 1, None)  # of masses W the first token sees none
        np.testing.assert_allclose(soft(0.0, w)[seeing], weights[seeing], atol=1e-14)
    # The columns' potentials v solve v = (c / K^T u)^{tau/(1 + tau)}, at tau = 1 the root.
    plan = np.asarray(soft(1.0))
    kernel, c = np.tril(np.exp(3 * X @ X.T)), np.asarray(causal_columns(7))
    v = plan[-1] / kernel[-1]
    u = np.diag(plan) / np.diag(kernel) / v
    pull = c / (kernel.T @ u)
    np.testing.assert_allclose(v / v[0], np.sqrt(pull / pull[0]), rtol=1e-10)
    # Columns are off by O(1/tau).
    assert 1e-5 < np.abs(soft(1e3).sum(axis=0) - c).max() < 1e-2
    exact = np.asarray(plan_of(Sinkhorn(3.0, mask=causal(7), tol=TOL), X))
    np.testing.assert_allclose(exact.sum(axis=0), c, atol=1e-10)
    np.testing.assert_allclose(soft(math.inf), exact, atol=1e-10)


@pytest.mark.parametrize("tau", [None, 1.0])
def test_derivatives_are_finite_differences(tau):
    at = jnp.cos(jnp.arange(21.0)).reshape(7, 3)

    @jax.jit
    def value(x, beta, gain):
        columns = causal_columns(7, gain)
        field = Sinkhorn(beta, mask=causal(7), columns=columns, tau=tau, tol=1e-13)(x)
        return jnp.sum(field * at)

    args, h = (X, np.float64(2.0), np.float64(0.5)), 1e-3  # traced once, as below
    slopes = jax.jit(jax.grad(value, (0, 1, 2)))(*args)
    steps = [value(X + s * at, 2.0 + s, 0.5 + s) for s in h * np.array([-2.0, -1, 1, 2])]
    # Off by h^4 times a fifth derivative of order 100, and 1e-13/h.
    difference = (steps[0] - 8 * steps[1] + 8 * steps[2] - steps[3]) / (12 * h)
    assert abs(float(jnp.vdot(slopes[0], at) + slopes[1] + slopes[2] - difference)) < 1e-8


def test_two_sequences_in_one_cloud_do_not_feel_each_other():
    block = np.tril(np.ones((7, 7), bool))
    block[4:, :4] = False
    along = jnp.sin(jnp.arange(21.0)).reshape(7, 3)
    field = jax.jit(lambda x: Sinkhorn(3.0, mask=jnp.asarray(block), tol=TOL)(x))
    both, slope = jax.jit(lambda x, v: jax.jvp(field, (x,), (v,)))(X, along.at[:4].set(0))
    kernel = np.exp(3 * X @ X.T)
    for part in (slice(0, 4), slice(4, 7)):
        x = X[part]
        n = len(x)
        plan = scaled(np.tril(kernel[part, part]), np.ones(n), np.asarray(causal_columns(n)))
        np.testing.assert_allclose(both[part], plan @ x, atol=1e-10)
    # Each has a constant of its own in its potentials, which derivatives must not see.
    np.testing.assert_allclose(slope[:4], 0, atol=1e-10)
    h = 1e-5
    ahead, behind = (field(X.at[4:].add(s * along[4:])) for s in (h, -h))
    # h^2 times a third derivative of order 100, and 1e-12/h.
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * h), atol=1e-6)


def jacobian_on_the_circle(mask):
    """d(turning of token i)/d(angle of token j), a function of the angles."""

    def turning(angles):
        x = circle(angles)
        across = jnp.stack([-x[:, 1], x[:, 0]], axis=1)
        return jnp.sum(Sinkhorn(4.0, mask=mask, tol=TOL)(x) * across, axis=1)

    return jax.jit(jax.jacfwd(turning))


ANGLES = jnp.array([0.3, 2.0, -1.0, 0.9, 4.0])


def test_consensus_is_left_at_the_rates_of_causal_softmax_but_by_no_gradient():
    n, causal_jacobian = 5, jacobian_on_the_circle(causal(5))
    at_rest = causal_jacobian(jnp.zeros(n))
    # Uniform causal weights less the identity, whose eigenvalues are 1/i - 1.
    mean = np.tril(np.ones((n, n))) / np.arange(1, n + 1)[:, None]
    np.testing.assert_allclose(at_rest, mean - np.eye(n), atol=1e-10)
    # What token 2 feels of token 1 has no answer: token 1 does not move.
    slope = np.asarray(causal_jacobian(ANGLES))
    np.testing.assert_allclose(slope[0], 0, atol=1e-12)
    assert np.abs(slope[1:, 0]).min() > 1e-2


@pytest.mark.slow
def test_without_a_mask_the_field_is_the_gradient_of_the_entropic_cost_over_beta():
    slope = jacobian_on_the_circle(None)(ANGLES)
    np.testing.assert_allclose(slope, slope.T, atol=1e-9)


@pytest.mark.slow
def test_values_in_single_precision():
    attention = Sinkhorn(20.0, mask=causal(7))
    single = attend(attention, X.astype(jnp.float32))
    # tol is 1e-6 of mass 1, hence 7e-6 of columns; neighbours at beta = 20 amplify it by less than 10.
    np.testing.assert_allclose(single, attend(attention, X), atol=1e-4)


def test_single_precision_and_what_is_no_number():
    attention = Sinkhorn(20.0, mask=causal(7))
    assert jax.eval_shape(attention, X.astype(jnp.float32)).dtype == jnp.float32
    few = jax.jit(lambda x, c: Sinkhorn(20.0, mask=causal(7), columns=c, max_iterations=300)(x))
    right = causal_columns(7)
    assert np.isfinite(few(X, right)).all() and np.isnan(few(X.at[0, 0].set(np.nan), right)).all()
    # Columns that are known at run time only and do not exist are never reached: row 1 sees key 1 alone.
    none = jnp.ones(7).at[0].set(0.5).at[6].set(1.5)
    assert bool(jnp.isnan(few(X, none)).all())
    check_refused(lambda: Sinkhorn(20.0, mask=causal(7), max_iterations=3)(X), "max_iterations")


BAND = jnp.tril(jnp.ones((4, 4), bool)) & ~jnp.tril(jnp.ones((4, 4), bool), -2)
PAIR = jnp.array([[1, 1, 0], [1, 1, 0], [1, 1, 1]], bool)
REFUSED = [
    ("the identity", lambda: Sinkhorn(1.0, mask=causal(3), columns=jnp.ones(3)), "identity alone"),
    (
        "early columns too small",
        lambda: Sinkhorn(1.0, mask=causal(3), columns=jnp.array([1.5, 0.5, 1.0])),
        "the first 2 of sum 2, which must be more than 2",
    ),
    ("another sum", lambda: Sinkhorn(1.0, mask=causal(2), columns=jnp.ones(2) * 2), "by 0.5"),
    ("another length", lambda: Sinkhorn(1.0, mask=causal(3), columns=jnp.ones(2)), "a key"),
    ("a negative one", lambda: Sinkhorn(1.0, columns=jnp.array([3.0, -1.0])), "clip at 0"),
    (
        "more than a band has",  # column 3 is seen by tokens 3 and 4 alone
        lambda: Sinkhorn(1.0, mask=BAND, columns=jnp.array([0.9, 0.9, 1.5, 0.7])),
        "columns 2, 3 of sum 2.2, while the queries that see any of them have 2",
    ),
    (
        "nothing left for the third",
        lambda: Sinkhorn(1.0, mask=PAIR, columns=jnp.array([1.25, 0.75, 1.0])),
        "columns 0, 1 that the queries which see nothing else need",
    ),
    ("tau below 0", lambda: Sinkhorn(1.0, tau=-1.0), "tau=0"),
    (
        "columns of no mass",
        lambda: Sinkhorn(1.0, columns=causal_columns(7))(X, None, W),
        "set them to 0",
    ),
    ("a density", lambda: Sinkhorn(1.0, mask=causal(3)).on_the_sphere(), "leave them out"),
    ("gain 0", lambda: causal_columns(3, 0.0), "0 < gain <= 1"),
    ("a mask of another size", lambda: Sinkhorn(1.0, mask=causal(3))(X), "number of tokens"),
]  # fmt: skip


@each_of(REFUSED)
def test_columns_that_no_weights_have_are_refused_with_the_reason(call, remedy):
    check_refused(call, remedy)


def test_general_masks_have_columns_as_lower_triangular_ones_have():
    # The same conditions by cycles of a residual graph and by sums: of random columns near the edge,
    # about half exist.
    from meanfield.transport.exact import why_no_plan, why_no_triangular_plan

    rng, triangle, answers = np.random.default_rng(0), np.tril(np.ones((5, 5), bool)), []
    for _ in range(40):
        b = rng.integers(0, 4, 5) + np.array([2, 0, 0, 0, 0.0])
        a, b = np.full(5, 0.2), b / b.sum()
        general = why_no_plan(triangle, a, b, 1e-9) is None
        assert general == (why_no_triangular_plan(a, b, 1e-9) is None), b
        answers.append(general)
    assert 10 <= sum(answers) <= 30


def test_a_matrix_for_a_mask_inside_another_program_and_a_bias_that_columns_absorb():
    # A bias of a key is a factor of its column, which the given sums take away again.
    matrix = jnp.where(jnp.tril(jnp.ones((7, 7), bool)), jnp.zeros(7).at[0].set(4.0), -jnp.inf)

    def plan(x, mask):
        return Sinkhorn(4.0, mask=mask, tol=TOL, columns=causal_columns(7)).plan(x)

    exact = plan_of(Sinkhorn(4.0, mask=causal(7), tol=TOL), X)
    known, given = jax.jit(lambda x, m: (plan(x, matrix), plan(x, m)))(X, matrix)
    np.testing.assert_allclose(known, exact, atol=1e-10)
    np.testing.assert_allclose(given, exact, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Dense(), Blockwise(100)])
def test_many_tokens_at_low_temperature(engine):
    for n in (64, 256):
        x = Sphere(3).sample(jax.random.key(n), n)
        solution = Sinkhorn(20.0, mask=causal(n), tol=1e-11, engine=engine).solve(x)
        assert bool(solution.converged) and int(solution.iterations) < 700
        rows, columns = solution.marginals
        # Off by tol in the sum of masses 1/n.
        np.testing.assert_allclose(n * rows, 1, atol=1e-10)
        np.testing.assert_allclose(n * columns, causal_columns(n), atol=n * 1e-11)
