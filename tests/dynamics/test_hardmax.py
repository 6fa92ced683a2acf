"""Hard attention: cells, leaders and ties, and its exact runs in flat space."""

import jax
import jax.numpy as jnp
import numpy as np
from refusals import check_refused
from unit_vectors import normal, unit_vectors

import meanfield as mf
from meanfield.attention import Hardmax, Softmax, causal
from meanfield.dynamics import AttentionFlow, Drift, hardmax_path
from meanfield.geometry import Euclidean

MATRIX = normal(1, 3, 3)
X, Y = unit_vectors(2, 6, 3), unit_vectors(3, 5, 3)


def test_hard_attention_is_softmax_of_infinite_beta():
    # The best key is ahead by more than .03 in all rows: e^{-.03 * 2000} is 9e-27.
    w = jnp.array([0.3, 0.1, 0.2, 0.15, 0.25])
    soft = Softmax(2000.0, MATRIX, MATRIX.T, MATRIX)
    x, y, matrix = (np.asarray(a) for a in (X, Y, MATRIX))
    scores = x @ matrix.T @ (y @ matrix).T
    logits = np.sort(scores, axis=1)
    assert (logits[:, -1] - logits[:, -2]).min() > 0.03
    hard = Hardmax(MATRIX, MATRIX.T, MATRIX)
    fields = jax.jit(lambda w: (hard(X, Y, w), soft(X, Y, w)))(w)
    np.testing.assert_allclose(*fields, rtol=1e-12)
    np.testing.assert_array_equal(hard.best(X, Y), np.argmax(scores, axis=1))


def test_ties_share_by_mass_and_keys_without_mass_are_never_best():
    x = jnp.array([[1.0, 1.0]]) / jnp.sqrt(2.0)
    y = jnp.array([[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
    attend = jax.jit(Hardmax().__call__)
    field = attend(x, y, jnp.array([0.25, 0.75, 0.0]))
    np.testing.assert_allclose(field, [[0.25, 0.75]], rtol=1e-15)
    masked = jax.jit(Hardmax(mask=causal(3)).__call__)(Y[:3])
    np.testing.assert_array_equal(masked[0], Y[0])
    assert np.isnan(attend(x.at[0, 0].set(jnp.nan), y, jnp.full(3, 1 / 3))).all()


def test_leaders_see_themselves():
    x = jnp.array([[2.0, 0.0], [0.1, 0.0], [0.0, 1.0], [1.0, 0.5], [2.0, 0.0]])
    np.testing.assert_array_equal(Hardmax().leaders(x), [True, False, True, False, True])
    np.testing.assert_array_equal(Hardmax().best(x), [0, 0, 2, 0, 0])


def test_many_tokens_are_summed_in_blocks(monkeypatch):
    attention = Hardmax(mask=causal(6))
    whole = jax.jit(lambda x: attention(x))(X)
    monkeypatch.setattr("meanfield.attention.kernels._hardmax.dense_is_quick", lambda *_: False)
    np.testing.assert_array_equal(jax.jit(lambda x: attention(x))(X), whole)


def test_a_token_moves_straight_to_its_leader():
    # x = v + (x0 - v) e^{-t}: on the way all cells stay those of the start.
    x = jnp.array([[2.0, 0.0], [0.5, 0.1], [0.0, 1.5]])
    path = hardmax_path(x, jnp.array([0.0, 0.7]))
    np.testing.assert_allclose(path.states[1, 1], x[0] + (x[1] - x[0]) * np.exp(-0.7), rtol=1e-13)
    np.testing.assert_array_equal(path.states[1, jnp.array([0, 2])], x[jnp.array([0, 2])])
    assert path.times.size == 0
    np.testing.assert_array_equal(path.followed, [0, 0, 2])


def test_a_token_turns_when_another_comes_before_its_leader():
    # Token 0 is drawn to 1, which moves on to 2 and 2 is at rest; 0 turns to 2 where their scores meet.
    x = jnp.array([[0.1, 0.4], [0.9, 1.0], [2.0, 0.2]])
    path = hardmax_path(x, jnp.array([0.0, 4.0]))
    np.testing.assert_array_equal(Hardmax().best(x), [1, 2, 2])
    # x_1 = x_2 + (x_1(0) - x_2) e^{-t}; x_0' = x_1 - x_0, by hand: x_0 = x_2 + (a + b t) e^{-t}.
    a, b = np.asarray(x[0] - x[2]), np.asarray(x[1] - x[2])

    def gap(t):
        first = x[2] + (a + b * t) * np.exp(-t)
        return float(first @ (b * np.exp(-t)))  # <x_0, x_1 - x_2>

    (time,), (token,), (leader,) = path.times, path.tokens, path.leaders
    assert (token, leader) == (0, 2)
    np.testing.assert_allclose(gap(float(time)), 0, atol=1e-14)
    assert all(gap(t) > 0 for t in np.linspace(0, float(time) - 1e-6, 50))
    then = x[2] + (a + b * float(time)) * np.exp(-float(time))
    end = x[2] + (then - x[2]) * np.exp(float(time) - 4)
    np.testing.assert_allclose(path.states[1, 0], end, rtol=1e-12)


def test_an_exact_run_is_that_of_a_solver_with_small_steps():
    x = jax.random.uniform(jax.random.key(7), (20, 2)) + 0.05
    metric = jnp.array([[1.0, 0.4], [0.4, 0.6]])
    ts = jnp.array([0.0, 0.5, 2.0])
    path = hardmax_path(x, ts, metric)
    assert path.times.size == 3
    plane = Euclidean(2)
    flow = AttentionFlow(plane, Hardmax(metric)) + Drift(plane, jnp.negative)
    run = mf.simulate(flow, x, ts, observe={"x": lambda x: x}, tol=1e-8)
    # Steps end near jumps of the field, not on them: some 1e-6 of it is left.
    np.testing.assert_allclose(path.states, run.values["x"], atol=2e-5)
    # Whom tokens see all along the run, by the attention itself.
    np.testing.assert_array_equal(Hardmax(metric).best(path.states[2]), path.followed)


def test_what_has_no_exact_run_is_refused():
    check_refused(lambda: hardmax_path(X, jnp.array([0.0, 1.0]), -jnp.eye(3)), "positive definite")
    check_refused(lambda: hardmax_path(X, jnp.array([1.0, 0.0])), "increasing times")
    check_refused(lambda: Hardmax(mask=causal(5))(X), "mask of shape [6, 6]")


def test_exact_runs_know_no_units():
    # x' = v - x is linear, and neither a scale of x nor one of A moves a cell.
    ts, metric = jnp.array([0.5, 3.0]), jnp.diag(jnp.array([1.0, 2.0, 0.5]))
    run = hardmax_path(2 * X, ts, metric)
    for size, factor in ((1e-20, 1.0), (1e18, 1.0), (1.0, 1e18)):
        scaled = hardmax_path(2 * size * X, ts, factor * metric)
        np.testing.assert_allclose(scaled.states / size, run.states, atol=1e-12)
        np.testing.assert_array_equal(scaled.tokens, run.tokens)
