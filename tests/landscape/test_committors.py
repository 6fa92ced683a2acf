"""Committors of clouds, by runs and on the circle, against those of one dimension and each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from meanfield.attention import Softmax, Unnormalized
from meanfield.dynamics import AttentionFlow, Drift
from meanfield.geometry import Euclidean, Sphere
from meanfield.landscape import committor, committor_by_runs, committor_on_circle
from meanfield.landscape.times._first_hits import (
    FAILED,
    IN_A,
    IN_B,
    Ways,
    _level_and_distance,
    _moved,
)
from meanfield.landscape.times._logistic import logistic, worth
from meanfield.landscape.times._run_committor import _what_is_wrong
from meanfield.solve import SolveError

CIRCLE, KEY = Sphere(2), jax.random.key(1)
# Two tokens on S^2 that are pulled up, each on its own; the caps are told by the second.
PULL, NOISE, LOW, TOP = 1.5, 0.7, -0.8, 0.6
UP = Drift(Sphere(3), lambda x: PULL * jnp.array([0.0, 0.0, 1.0]).astype(x.dtype), noise=NOISE)


def below(x):
    return LOW - x[1, 2]


def above(x):
    return x[1, 2] - TOP


def of_height(z):
    """noise ((1 - z^2) q'' - 2 z q') + pull (1 - z^2) q' = 0: q' ~ e^{-pull z/noise}/(1 - z^2)."""
    slope = lambda z: np.exp(-PULL * z / NOISE) / (1 - z**2)
    return quad(slope, LOW, z)[0] / quad(slope, LOW, TOP)[0]


@pytest.fixture(scope="module")
def caps():
    """Starts between the caps and one in each, and q there."""
    z = np.append(np.linspace(LOW, TOP, 62)[1:-1], [-0.9, 0.9])
    side = np.sqrt(1 - z**2)
    second = np.stack([side * np.cos(9 * z), side * np.sin(9 * z), z], axis=1)
    x = np.stack([np.tile([[1.0, 0, 0]], (62, 1)), second], axis=1)
    return jnp.asarray(x), np.array([*map(of_height, z[:-2]), 0.0, 1.0])


def by_runs(x, **other):
    given = {"t_end": 50.0, "dt": 0.02, "runs": 60} | other
    return committor_by_runs(UP, x, below, above, KEY, **given)


def test_caps_of_the_sphere(caps):
    """Steps of .17 in a strip of 1.6: what they leave is below what chance does."""
    x, q = caps
    found = by_runs(x)
    assert found.converged and found.ended == 1
    chance = np.sqrt((q * (1 - q)).sum() / 60) / 60
    assert abs(np.mean(found.share[:60] - q[:60])) < 3 * chance
    outside = (found.low[:60] > q[:60]) | (found.high[:60] < q[:60])
    assert outside.sum() <= 8  # of 60 intervals of 95 %: P < .01 for more
    np.testing.assert_array_equal(found.share[60:], [0, 1])
    fitted, (low, high) = found(x), found.interval(x)
    np.testing.assert_array_equal(fitted[60:], [0, 1])
    assert (low[:60] < fitted[:60]).all() and (fitted[:60] < high[:60]).all()
    assert np.mean((low <= q) & (q <= high)) > 0.7
    # Three coefficients that matter, each of a variance of q(1 - q)/3,600 or so at its best.
    assert np.mean((fitted - q) ** 2) < 9 * 3 * 0.25 / 3600
    assert abs(found.misfit) < 3 * found.misfit_error < 0.01
    # Of a q that is right the score is that of chance, up to the standard error of 3,600 outcomes.
    np.testing.assert_allclose(found.brier, np.mean((q * (1 - q))[:60]), atol=3 * 0.25 / 60)
    mean = np.mean(found.share[:60])
    np.testing.assert_allclose(found.climatology, mean * (1 - mean), rtol=1e-6)
    assert found.brier < 0.8 * found.climatology
    assert found.predicted.shape == (10,)
    covered = (found.observed_low <= found.predicted) & (found.predicted <= found.observed_high)
    assert covered.sum() >= 7
    np.testing.assert_allclose(np.mean(found.observed), mean, rtol=1e-6)


def test_what_did_not_end_is_told(caps):
    x, _ = caps
    with pytest.raises(SolveError, match="raise t_end"):
        by_runs(x, t_end=0.2)
    found = by_runs(x, t_end=0.2, throw=False)
    assert not found.converged and 0.1 < found.ended < 0.9
    assert "entered B first" in _what_is_wrong(np.full((4, 2), IN_B))
    assert "1 of 4 runs failed" in _what_is_wrong(np.array([[IN_A, IN_B], [FAILED, IN_B]]))
    assert not _what_is_wrong(np.array([[IN_A, IN_B], [IN_B, IN_B]]))
    with pytest.raises(ValueError, match="two or more starts"):
        by_runs(x[60:])
    with pytest.raises(ValueError, match="a flow with noise"):
        committor_by_runs(Drift(CIRCLE, jnp.sin), x[:, :, :2], below, above, KEY, t_end=1.0, dt=0.1)
    with pytest.raises(ValueError, match="finite features"):
        committor_by_runs(
            UP, x, lambda x: below(x) > 0, lambda x: above(x) > 0, KEY, t_end=1.0, dt=0.1
        )
    with pytest.raises(ValueError, match="one real number or truth value"):
        committor_by_runs(UP, x, lambda x: x[0], above, KEY, t_end=1.0, dt=0.1)


def test_a_step_is_heuns():
    """In flat space (1 - kh + (kh)^2/2) x + sqrt(2 nu h) (1 - kh/2) xi; on S^2 the flow, to order h^3."""
    k, h, nu, x, xi = 2.0, 0.1, 0.3, np.array([[1.0, -2.0]]), np.array([[0.5, 0.7]])
    flow = Drift(Euclidean(2), lambda x: -k * x, noise=nu)
    numbers = jnp.asarray(h), jnp.asarray(1), None
    ways = Ways(flow, jnp.asarray(nu), (below, above), *numbers)
    exact = (1 - k * h + (k * h) ** 2 / 2) * x + np.sqrt(2 * nu * h) * (1 - k * h / 2) * xi
    np.testing.assert_allclose(_moved(ways, jnp.asarray(x), jnp.asarray(xi)), exact, rtol=1e-12)
    start, h = jnp.array([[0.8, 0.0, 0.6]]), 0.01
    ways = Ways(UP, jnp.asarray(NOISE), (below, above), jnp.asarray(h), jnp.asarray(1), None)
    moved = _moved(ways, start, 0 * start)
    # z = tanh(kt + artanh z0), whose third derivative is below 2 k^3: k^3 h^3/3 at most
    np.testing.assert_allclose(
        moved[0, 2], np.tanh(PULL * h + np.arctanh(0.6)), atol=(PULL * h) ** 3 / 3
    )


def test_distances_to_a_set_are_of_second_order():
    """From height s to TOP on the unit sphere: an angle; the third derivative of sin is at most 1."""
    for z in (0.5, 0.58, 0.7):
        x = jnp.array([[1.0, 0, 0], [np.sqrt(1 - z**2), 0, z]])
        value, distance = _level_and_distance(UP.geometry, above, x)
        exact = abs(np.arcsin(TOP) - np.arcsin(z))
        np.testing.assert_allclose(value, z - TOP, rtol=1e-12)
        # d - exact = (exact^3/6)/|slope at the zero|, .8
        np.testing.assert_allclose(distance, exact, atol=exact**3 / 6 / 0.7)
        assert abs(distance - abs(z - TOP) / np.sqrt(1 - z**2)) > 1e-4  # what the first order tells


def test_regression_and_its_scores():
    """The fit of scipy's minimizer; scores by hand; covariances by linear propagation."""
    rng = np.random.default_rng(0)
    x, trials = rng.normal(3.0, 2.0, (40, 2)), np.full(40, 6)
    hits = rng.binomial(trials, 1 / (1 + np.exp(2 - x[:, 0])))
    fit = logistic(x, hits, trials, 0.5)
    z = np.concatenate([np.ones((40, 1)), (x - x.mean(axis=0)) / x.std(axis=0)], axis=1)

    def loss(theta):
        eta = z @ theta
        return trials @ np.logaddexp(0, eta) - hits @ eta + 0.25 * theta[1:] @ theta[1:]

    best = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose(fit.coefficients, best, atol=1e-6)
    q = 1 / (1 + np.exp(-z @ best))
    np.testing.assert_allclose(fit(x), q, atol=1e-6)
    # A hit more at start i moves theta by H^{-1} z_i; its errors are of chance, or of a fit without it.
    inverse, weights = np.linalg.inv(_bend(z, trials, q, 0.5)), trials * q * (1 - q)
    without = (hits - trials * q) / (1 - np.einsum("ij,jk,ik->i", z, inverse, z) * weights)
    for found, sizes in zip(fit.covariances, (np.sqrt(weights), without), strict=True):
        moves = (inverse @ z.T) * sizes
        np.testing.assert_allclose(found, moves @ moves.T, rtol=1e-4, atol=1e-9)
    told = np.empty(40)
    for k in range(5):
        out = np.arange(40) % 5 == k
        told[out] = logistic(x[~out], hits[~out], trials[~out], 0.5)(x[out])
    outcomes = np.arange(6) < hits[:, None]
    found = worth(x, hits, trials, 0.5)
    np.testing.assert_allclose(found.brier, np.mean((told[:, None] - outcomes) ** 2))
    np.testing.assert_allclose(found.climatology, outcomes.mean() * (1 - outcomes.mean()))
    # Pairs of different runs of one start: E (q - y)(q - y') = (q - p)^2.
    error = told[:, None] - outcomes
    pairs = (error.sum(axis=1) ** 2 - (error**2).sum(axis=1)) / 30
    np.testing.assert_allclose(found.misfit, pairs.mean(), atol=1e-12)
    np.testing.assert_allclose(found.misfit_error, pairs.std(ddof=1) / 40**0.5, rtol=1e-9)


@pytest.mark.slow
def test_intervals_cover_at_least_as_often_as_they_say():
    """Of 30 starts with ten outcomes each, and of 100 with one; standard errors of 400 repeats are .004."""
    rng = np.random.default_rng(0)
    for m, runs in ((30, 10), (100, 1)):
        x, trials, covered = rng.normal(size=(m, 3)), np.full(m, runs), []
        truth = x @ [1.0, -0.5, 0.3] - 0.4
        for _ in range(400):
            fit = logistic(x, rng.binomial(trials, 1 / (1 + np.exp(-truth))), trials, 1e-3)
            z = np.append(np.ones((m, 1)), (x - fit.center) / fit.scale, axis=1)
            variance = np.einsum("ij,kjl,il->ki", z, fit.covariances, z).max(axis=0)
            covered.append((z @ fit.coefficients - truth) ** 2 <= 1.96**2 * variance)
        assert 0.95 <= np.mean(covered) <= 0.98  # the larger of two: a little more often


def _bend(z, trials, q, ridge):
    return (z.T * (trials * q * (1 - q))) @ z + np.diag([0, ridge, ridge])


def test_one_token_that_is_carried_around():
    """Along the arc between A and B the drift is that of a potential: errors of order 2, 1e-3 at 64 nodes."""
    h, push, nu = 3.0, 0.4, 0.7
    turn = lambda x: jnp.stack([-x[1], x[0]]) * (push - 2 * h * x[0] * x[1])
    flow, ends = Drift(CIRCLE, turn, noise=nu), (0.33, np.pi - np.arccos(0.9))
    errors = []
    for nodes in (64, 128):
        found = committor_on_circle(
            flow, 1, lambda x: x[0, 0] - np.cos(0.33), lambda x: -x[0, 0] - 0.9, nodes=nodes
        )
        up = (found.angles >= ends[0]) & (found.angles <= ends[1])
        potential = lambda y: -h / 2 * jnp.cos(2 * y) - push * y
        exact = committor(potential, found.angles[up], *ends, noise=nu)
        errors.append(np.abs(found.q[up] - exact).max())
    assert errors[0] < 2e-3
    np.testing.assert_allclose(errors[0] / errors[1], 4, rtol=0.1)
    np.testing.assert_allclose(found.change, 3 * errors[1], rtol=0.1)


def test_two_tokens_by_their_angle():
    """With noise 2 nu in -e^{beta cos phi}/beta, between angles that are no nodes."""
    beta = 2.0
    flow = AttentionFlow(CIRCLE, Unnormalized(beta), noise=0.3)
    near, far = (lambda x: x[0] @ x[1] > np.cos(0.5)), (lambda x: -x[0] @ x[1] - np.cos(0.4))
    found = committor_on_circle(flow, 2, near, far, nodes=32)
    angle = np.arccos(np.cos(np.asarray(found.angles)[:, None] - np.asarray(found.angles)))
    potential = lambda y: -jnp.exp(beta * jnp.cos(y)) / beta
    exact = committor(potential, jnp.asarray(angle[0]), 0.5, np.pi - 0.4, noise=0.6)
    # h^2/12 times fourth derivatives of order 1, h = .2
    np.testing.assert_allclose(found.q[0], exact, atol=3e-3)
    np.testing.assert_allclose(found.q, found.q.T, atol=1e-12)
    np.testing.assert_allclose(found.q[5], np.roll(found.q[0], 5), atol=1e-10)


def test_circles_that_are_refused():
    flow = Drift(CIRCLE, lambda x: 0 * x, noise=1e-4)
    right, left = (lambda x: x[0, 0] - 0.9), (lambda x: -x[0, 0] - 0.9)
    with pytest.raises(ValueError, match="that are apart"):
        committor_on_circle(flow, 1, right, right, nodes=16)
    with pytest.raises(ValueError, match="1 or 2 tokens"):
        committor_on_circle(flow, 3, right, left)
    with pytest.raises(SolveError, match="NaN or infinite at 1 of"):
        poor = Drift(CIRCLE, lambda x: jnp.where(x[0] == 1, jnp.nan, 0) * x, noise=1.0)
        committor_on_circle(poor, 1, lambda x: x[0, 1] - 0.9, left, nodes=16)
    with pytest.raises(ValueError, match="on Sphere"):
        committor_on_circle(UP, 1, right, left)
    # From a top .1 beside a node, over which q rises within .1.
    from_top = lambda x: jnp.stack([x[1], -x[0]]) * (x[0] * jnp.cos(0.1) - x[1] * jnp.sin(0.1))
    sharp = Drift(CIRCLE, from_top, noise=0.02)
    with pytest.raises(SolveError, match="raise nodes"):
        committor_on_circle(sharp, 1, right, left, nodes=16)


@pytest.mark.slow
def test_between_spheres_against_quadrature_and_truth_values_against_numbers():
    """An Ornstein-Uhlenbeck process in R^3: q' ~ e^{k r^2/2 nu}/r^2. Truth values err by the root of dt."""
    k, nu, ends, runs = 1.0, 0.5, (0.5, 1.8), 400
    slope = lambda r: np.exp(k * r**2 / (2 * nu)) / r**2
    flow = Drift(Euclidean(3), lambda x: -k * x, noise=nu)
    r = np.linspace(*ends, 102)[1:-1]
    q = np.array([quad(slope, ends[0], s)[0] for s in r]) / quad(slope, *ends)[0]
    x = jnp.asarray(r[:, None, None] * np.array([[[2.0, -1, 2]]]) / 3)
    inner, outer = (
        (lambda x: ends[0] - jnp.linalg.norm(x)),
        (lambda x: jnp.linalg.norm(x) - ends[1]),
    )
    chance = np.sqrt((q * (1 - q)).sum() / runs) / 100
    given = {"t_end": 200.0, "runs": runs, "features": lambda x: jnp.linalg.norm(x)}
    errors = []
    for dt in (0.08, 0.02):
        found = committor_by_runs(flow, x, inner, outer, KEY, dt=dt, **given)
        assert abs(np.mean(found.share - q)) < 3 * chance
        sets = (lambda x: inner(x) >= 0), (lambda x: outer(x) >= 0)
        found = committor_by_runs(flow, x, *sets, KEY, dt=dt, **given)
        errors.append(np.mean(np.abs(found.share - q)))
    np.testing.assert_allclose(errors[0] / errors[1], 2, rtol=0.3)


@pytest.mark.slow
def test_runs_of_two_tokens_against_the_equation():
    """Tokens that attract, are pulled and carried around: no potential, and features that matter."""
    carried = Drift(CIRCLE, lambda x: jnp.stack([0.4 - 0.3 * x[1], 0.3 * x[0]]))
    flow = AttentionFlow(CIRCLE, Softmax(3.0), noise=0.15) + carried
    near, far = (lambda x: x[0] @ x[1] - np.cos(0.4)), (lambda x: -x[0] @ x[1] - np.cos(0.5))
    grid = committor_on_circle(flow, 2, near, far, nodes=128)
    i, j = np.random.default_rng(0).integers(0, 128, (2, 500))
    unit = np.stack([np.cos(grid.angles), np.sin(grid.angles)], axis=1)
    x, q = jnp.asarray(np.stack([unit[i], unit[j]], axis=1)), np.asarray(grid.q)[i, j]

    def features(x):
        c, mean = x[0] @ x[1], x.mean(axis=0)
        turned = (x[0, 0] * x[1, 1] - x[0, 1] * x[1, 0]) * (x[0, 1] - x[1, 1])
        return c, c**2, mean, c * mean, turned

    found = [
        committor_by_runs(flow, x, near, far, KEY, t_end=300.0, dt=0.05, runs=50, features=each)
        for each in (None, features)
    ]
    chance = np.sqrt((q * (1 - q)).sum() / 50) / 500
    for each in found:
        assert abs(np.mean(each.share - q)) < 3 * chance
        outside = (q > 0) & (q < 1)
        true = np.mean((each(x) - q)[outside] ** 2)
        assert abs(each.misfit - true) < 3 * each.misfit_error + 0.1 * true
    # The angle between the tokens does not tell where their mean is.
    assert found[0].misfit > 20 * found[1].misfit and found[1].brier < found[0].brier
