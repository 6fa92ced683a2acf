"""Each kind of thing that one may add, added from outside with public names: CONTRIBUTING.md tells how."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from benchmarks._contest import Contest, Missing
from benchmarks._measure import measure

PLANE, CIRCLE, SPHERE = mf.geometry.Euclidean(2), mf.geometry.Sphere(2), mf.geometry.Sphere(3)
X = SPHERE.sample(jax.random.key(0), 5)
START = jnp.array([[1.0, 2.0], [3.0, -1.0]])
TS = jnp.array([0.0, 1.0])


class Squares(mf.attention.AbstractPairwise):
    """field(x_i) = sum_j w_j <x_i, y_j>^2 y_j."""

    def kernel(self, x, y):
        return (x @ y.T) ** 2


def test_a_kernel():
    by_hand = [sum((p @ q) ** 2 * q for q in np.asarray(X)) / 5 for p in np.asarray(X)]
    np.testing.assert_allclose(Squares()(X), by_hand, atol=1e-15)
    run = mf.simulate(mf.dynamics.AttentionFlow(SPHERE, Squares()), X, TS)
    # It climbs the mean of <x, y>^3.
    assert jnp.mean((run.final @ run.final.T) ** 3) > jnp.mean((X @ X.T) ** 3)
    with pytest.raises(ValueError, match="got Squares"):
        mf.dynamics.FokkerPlanck(mf.harmonics.Fourier(4), Squares(), 0.1)


class OneByOne(mf.attention.AbstractEngine):
    """Sums over one key at a time, whose exponents are small enough to need no shift."""

    def sums(self, problem):
        def add(total, key):
            k, v, w = key
            e = w * jnp.exp(problem.beta * problem.q @ k)
            return (total[0] + e, total[1] + e[:, None] * v), None

        zero = jnp.zeros(problem.q.shape[0])
        start = zero, jnp.zeros((len(zero), problem.v.shape[1]))
        (mass, moment), _ = jax.lax.scan(add, start, (problem.k, problem.v, problem.w))
        return mf.attention.Sums(zero, mass, moment)


def test_an_engine():
    ours = mf.attention.Softmax(2.0, engine=OneByOne())
    np.testing.assert_allclose(ours(X), mf.attention.Softmax(2.0)(X), rtol=1e-14)


class HalfTheKeys(mf.attention.AbstractApproximate):
    """Every other key alone; what it errs by is found from all of them."""

    def sums(self, problem):
        some = jnp.where(jnp.arange(problem.w.shape[0]) % 2 == 0, problem.w, 0)
        return OneByOne().sums(eqx.tree_at(lambda p: p.w, problem, some))

    def field_error(self, problem):
        exact = OneByOne().sums(problem).mean()
        gap = jnp.linalg.norm(self.sums(problem).mean() - exact, axis=1)
        return gap / jnp.linalg.norm(exact, axis=1)


def test_an_engine_that_approximates():
    engine = HalfTheKeys()
    exact = mf.attention.Softmax(2.0)(X)
    gap = mf.attention.Softmax(2.0, engine=engine)(X) - exact
    error = engine.relative_error(mf.attention.Softmax(2.0), X)
    np.testing.assert_allclose(
        error, jnp.linalg.norm(gap, axis=1) / jnp.linalg.norm(exact, axis=1), rtol=1e-12
    )


class Spread(mf.energies.AbstractEnergy):
    """sum_i w_i |x_i|^2 / 2."""

    def _of_points(self, x, w):
        squares = jnp.sum(x**2, axis=1) / 2
        return squares.mean() if w is None else w @ squares


def test_an_energy():
    np.testing.assert_allclose(Spread().wasserstein_gradient(START), START, atol=1e-15)
    run = mf.simulate(mf.dynamics.GradientFlow(PLANE, Spread() + Spread()), START, TS, tol=1e-8)
    np.testing.assert_allclose(run.final, START * np.exp(-2.0), rtol=1e-6)
    basis = mf.harmonics.Fourier(4)
    with pytest.raises(ValueError, match="got Spread; define its _of_density"):
        Spread().on_density(basis, jnp.zeros(basis.size).at[0].set(1.0))


class Decay(mf.dynamics.AbstractCloud):
    """x' = -rate x."""

    rate: float
    geometry: mf.geometry.AbstractGeometry = PLANE
    noise: None = None
    weights: jax.Array | None = None

    def field(self, t, x, args):
        return -self.rate * x


def largest(x, w=None):
    """The largest distance from the origin."""
    return jnp.linalg.norm(x, axis=1).max()


def test_a_dynamics_and_an_observable():
    run = mf.simulate(Decay(1.0) + Decay(2.0), START, TS, tol=1e-8, observe={"largest": largest})
    np.testing.assert_allclose(run.final, START * np.exp(-3.0), rtol=1e-6)
    np.testing.assert_allclose(run.values["largest"], largest(START) * np.exp([0, -3.0]), rtol=1e-6)


class Hemisphere(mf.measures.AbstractMeasure):
    """The uniform law on the half of S^{d-1} where x_1 > 0: twice the uniform density there."""

    geometry: mf.geometry.Sphere

    def sample(self, key, n):
        x = self.geometry.sample(key, n)
        return x.at[:, 0].set(jnp.abs(x[:, 0]))

    def log_density(self, x):
        return jnp.where(x[..., 0] > 0, jnp.log(2.0), -jnp.inf)

    def entropy(self):
        return -jnp.log(jnp.asarray(2.0))


def test_a_law():
    law = Hemisphere(SPHERE)
    half = mf.measures.Mixture([law, mf.measures.Uniform(3)], jnp.array([0.5, 0.5]))
    np.testing.assert_allclose(half.log_density(jnp.eye(3)[0]), np.log(1.5), rtol=1e-14)
    x = half.sample(jax.random.key(1), 4000)
    # E x_1 = 1/2 on the half, 0 on all: six standard errors of sqrt(1/3 - 1/16)/sqrt(n)
    np.testing.assert_allclose(x[:, 0].mean(), 1 / 4, atol=6 * 0.52 / 4000**0.5)


class Halving(mf.schemes.AbstractScheme):
    """x <- x/2."""

    def step(self, state, args):
        return state / 2, {"size": largest(state)}

    def project(self, state):
        return state

    def check(self, state):
        return PLANE.check(state, "x0")


def test_a_scheme():
    run = mf.rollout(Halving(), START, 3)
    np.testing.assert_array_equal(run.final, START / 8)


class Until(mf.dynamics.AbstractGate):
    """Open until a time."""

    end: float

    def __call__(self, t, x, velocity, masses=None):
        return jnp.where(t < self.end, 1.0, 0.0)

    def jumps(self):
        return jnp.asarray([self.end])


class ToTheMean(mf.dynamics.AbstractPull):
    """Token by token, to the mean over the models."""

    def __call__(self, geometry, x, weights, masses):
        return jnp.einsum("i,ind->nd", weights, x) - x


def test_a_gate_and_a_pull():
    still = mf.dynamics.Drift(PLANE, lambda x: 0 * x)
    flow = mf.dynamics.ConsensusFlow([still, still], 3.0, gate=Until(0.5), pull=ToTheMean())
    x = jnp.stack([START, -START])
    # Each closes its gap to the mean, 0, at the rate 3 until t = 1/2.
    run = mf.simulate(flow, x, TS, tol=1e-8)
    np.testing.assert_allclose(run.final, x * np.exp(-1.5), rtol=1e-6)


def peer_that_is_not_there():
    """A peer whose package is missing."""
    raise Missing("a package that nobody has")


def test_a_benchmark_and_a_peer():
    contest = Contest(
        "a sum", {"jnp": lambda: lambda: X.sum(), "theirs": peer_that_is_not_there}, repeats=2
    )
    row = measure(contest, 2)
    assert row["contenders"]["jnp"]["median"] > 0 and "theirs" in row["skipped"]
