"""Approximate engines: unbiased sums, errors that are as they are said to be, and refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_attention import attend
from refusals import check_refused

from meanfield.attention import (
    Blockwise,
    Dense,
    Nystrom,
    RandomBatch,
    RandomFeatures,
    Softmax,
    causal,
)

N, D, TRIALS = 64, 8, 300


def on_the_sphere(points):
    return jnp.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


RNG = np.random.default_rng(0)
X = on_the_sphere(RNG.normal(size=(N, D)))
TIGHT = on_the_sphere(np.eye(D)[0] + RNG.normal(size=(N, D)) / np.sqrt(200.0))
W = jnp.asarray(np.arange(1.0, N + 1) / (N * (N + 1) / 2))
ATTENTION = Softmax(1.0, value=np.eye(D)[:3])


@eqx.filter_jit
def repeated(make, x):
    """Mass, moment, error of softmax and its estimate, at the first token over many keys."""
    exact = ATTENTION(x[:1], x, W)[0]
    size = jnp.linalg.norm(exact)

    def trial(key):
        engine = make(key)
        sums = engine.sums(ATTENTION.problem(x[:1], x, W))
        scale = jnp.exp(sums.shift[0])
        error = jnp.linalg.norm(sums.moment[0] / sums.mass[0] - exact) / size
        return scale * sums.mass[0], scale * sums.moment[0], error

    keys = jax.random.split(jax.random.key(1), TRIALS)
    told = jax.lax.map(lambda key: make(key).relative_error(ATTENTION, x[:1], x, W)[0], keys[:10])
    return *jax.lax.map(trial, keys, batch_size=100), told


# The error of a batch is that of the differences to the mean, which are small in a cluster.
@pytest.mark.parametrize(("kind", "x"), [(RandomBatch, TIGHT), (RandomFeatures, X)])
def test_sums_are_unbiased_and_their_error_is_the_one_that_is_told(kind, x):
    mass, moment, error, told = repeated(lambda key: kind(256, key), x)
    exact = jax.jit(lambda x, w: ATTENTION.sums(x[:1], x, w))(x, W)
    scale = float(np.exp(exact.shift[0]))
    for samples, truth in ((mass, exact.mass[0]), (moment, exact.moment[0])):
        samples = np.asarray(samples)
        # The mean of 300 trials is normal about the truth; 4.5 deviations are passed once in 1e5.
        deviation = samples.std(axis=0) / np.sqrt(TRIALS)
        assert (np.abs(samples.mean(axis=0) - scale * np.asarray(truth)) < 4.5 * deviation).all()
    ratio = np.sqrt(np.mean(np.asarray(error) ** 2) / np.mean(np.asarray(told) ** 2))
    # First order in 1/256 for a batch; for features by 32 draws each.
    assert 0.85 < ratio < 1.15


@jax.jit
def landmarks(x):
    """What landmarks tell of their error, and what it is."""
    engine = Nystrom(20, jax.random.key(2))
    fast = eqx.tree_at(lambda a: a.engine, ATTENTION, engine, is_leaf=lambda leaf: leaf is None)
    exact = ATTENTION(x, x, W)
    error = jnp.linalg.norm(fast(x, x, W) - exact, axis=1) / jnp.linalg.norm(exact, axis=1)
    return engine.relative_error(ATTENTION, x, x, W), error


@pytest.mark.parametrize("clustered", [False, True])
def test_landmarks_bound_their_error(clustered):
    bound, error = landmarks(TIGHT if clustered else X)
    assert bool((error <= bound).all())
    # Tokens are about s = .2 apart: with constant and 7 slopes held by landmarks, the residual is of
    # order s^4 = 2e-3 times what 20 - 8 of 28 curvatures leave; uniform tokens have no low rank.
    assert not clustered or float(bound.max()) < 2e-2


def test_the_bound_of_landmarks_counts_what_kernel_and_values_miss():
    """Against the same bound in numpy: t_Z and t_F are sums of sqrt(r(q) r(k)) over the keys."""
    beta, rank, key = 1.0, 6, jax.random.key(2)
    x, w = np.asarray(X[:20, :3]), np.arange(1.0, 21) / 210
    exact = Softmax(beta, engine=Nystrom(rank, key))
    marks = x[np.asarray(jax.random.choice(key, 20, (rank,), p=jnp.asarray(w)))]
    gauss = lambda a, b: np.exp(-((a[:, None] - b) ** 2).sum(-1) / 2)
    own, seen = gauss(marks, marks), gauss(marks, x)
    low = np.linalg.solve(own + rank * np.finfo(float).eps * np.eye(rank), seen)
    rest = np.sqrt(1 - np.sum(seen * low, axis=0))
    size = np.exp((x**2).sum(1) / 2)
    kernel = size[:, None] * (seen.T @ low) * size
    mass, moment = kernel @ w, kernel @ (w[:, None] * x)
    field = np.linalg.norm(moment, axis=1) / mass
    t_mass = size * rest * ((w * size * rest).sum())
    t_moment = size * rest * ((w * size * rest) @ np.linalg.norm(x, axis=1))
    error = (t_moment + field * t_mass) / (mass - t_mass)
    bound = np.where((mass > t_mass) & (field > error), error / (field - error), np.inf)
    assert np.isfinite(bound).sum() > 5
    told = jax.jit(lambda x, w: exact.engine.relative_error(exact, x, None, w))(x, w)
    # A landmark has r = 0, up to sqrt(8 rank eps) = 1e-7 that is added for rounding.
    np.testing.assert_allclose(told, bound, rtol=1e-5, atol=2e-7)


ENGINES = [
    Dense(),
    Blockwise(2),
    RandomBatch(8, jax.random.key(4)),
    RandomFeatures(8, jax.random.key(4)),
    Nystrom(4, jax.random.key(4)),
]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)
def test_keys_of_no_mass_change_nothing(engine):
    """Wherever they are: beside the others, or so far that e^{beta <x, y>} is no number."""
    x, w = X[:4, :3], jnp.array([0.1, 0.2, 0.3, 0.4, 0.0])
    attention = Softmax(1.0, engine=engine)

    @jax.jit
    @jax.value_and_grad
    def size(y):
        return jnp.sum(attention(x, y, w) ** 2)

    near, far = (size(jnp.concatenate([x, point[None]])) for point in (X[4, :3], 1e3 * X[4, :3]))
    np.testing.assert_allclose(far[0], near[0], rtol=1e-13)
    np.testing.assert_allclose(far[1], near[1], atol=1e-13)
    assert (far[1][4] == 0).all()


@pytest.mark.parametrize("beta", [0.1, pytest.param(2.0, marks=pytest.mark.slow), 4.0])
def test_the_error_of_features_is_that_of_many_draws(beta):
    """At low temperatures too, where sums are off by more than themselves, and means are not."""
    x, w = X[:5, :2], jnp.array([0.1, 0.2, 0.3, 0.4, 0.0])
    ratio = told_over_true(Softmax(beta), on_the_sphere(np.asarray(x)), w)
    # The root mean square of 32 draws is off by 13 % or so where squares are exponential.
    assert (ratio > 1 / 1.5).all() and (ratio < 1.5).all()


@eqx.filter_jit
def told_over_true(attention, x, w):
    """The error of 16 features as it is told, over that of many draws."""
    exact, problem = attention(x, x, w), attention.problem(x, x, w)

    def square(key):
        return jnp.sum((RandomFeatures(16, key).sums(problem).mean() - exact) ** 2, axis=1)

    keys = jax.random.split(jax.random.key(1), TRIALS)
    true = jnp.sqrt(jax.lax.map(square, keys, batch_size=100).mean(axis=0))
    told = RandomFeatures(16, jax.random.key(0)).relative_error(attention, x, x, w)
    return told * jnp.linalg.norm(exact, axis=1) / true


def test_landmarks_at_every_token_are_exact():
    x = X[:5]
    # A rank far above the number of tokens draws them all, up to rounding raised by 2 ranks.
    fast = attend(Softmax(1.0, engine=Nystrom(60, jax.random.key(0))), x)
    np.testing.assert_allclose(fast, attend(Softmax(1.0), x), atol=1e-9)


def test_single_precision_and_refusals():
    x = X.astype(np.float32)
    for engine in (RandomBatch(8, jax.random.key(0)), RandomFeatures(8, jax.random.key(0)),
                   Nystrom(8, jax.random.key(0))):  # fmt: skip
        assert jax.eval_shape(Softmax(1.0, engine=engine), x).dtype == np.float32
        with pytest.raises(ValueError, match="Blockwise"):
            Softmax(1.0, mask=causal(N), engine=engine)(x)
        check_refused(lambda engine=engine: type(engine)(0, jax.random.key(0)), "integer")
