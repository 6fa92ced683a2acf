"""Gaussian closures, held against quadrature, Sinkhorn's iteration on Gaussians, and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

import meanfield as mf
from meanfield.attention import L2, Layers, MultiHead, Softmax, Unnormalized, causal
from meanfield.attention.closures._gaussian import doubly_stochastic_gain
from meanfield.dynamics import AttentionFlow, GaussianFlow
from meanfield.geometry import Euclidean
from meanfield.solve import SolveError

RNG = np.random.default_rng(0)
MEAN = jnp.array([0.3, -0.2])
ROOT = np.array([[0.9, 0.0], [0.3, 0.6]])
COV = jnp.asarray(ROOT @ ROOT.T)
Q, K, V = (jnp.asarray(0.5 * RNG.normal(size=(2, 2))) for _ in range(3))
ONE = (jnp.array([0.1]), jnp.array([[1.0]]))


def hermite(count):
    """Nodes and weights of the law N(MEAN, COV), of degree 2 count - 1 in each direction."""
    z, w = np.polynomial.hermite_e.hermegauss(count)
    grid = np.stack(np.meshgrid(z, z, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.outer(w, w).ravel() / w.sum() ** 2
    return jnp.asarray(grid @ ROOT.T + np.asarray(MEAN)), jnp.asarray(mass)


@pytest.mark.parametrize(
    "attention",
    [
        Softmax(0.7, Q, K, V),
        L2(0.7, Q, K, V),
        L2(2.0),
        MultiHead([Softmax(0.7, Q, K, V), L2(0.7, V, K, Q)]),
    ],
    ids=["softmax", "L2", "plain L2", "heads"],
)
def test_the_field_of_a_gaussian_is_affine(attention):
    nodes, weights = hermite(40)
    x = jnp.asarray(RNG.normal(size=(5, 2)))

    @jax.jit
    def both(x, mean):
        field = attention.gaussian_field(mean, COV)
        return attention(x, nodes, weights), field.velocity + (x - mean) @ field.gain.T

    # e^{<Ax, y>} with |S^{1/2} A x| up to 2 is a polynomial of degree 79 to far below rounding.
    np.testing.assert_allclose(*both(x, MEAN), atol=1e-13)


def sinkhorn_on_gaussians(logits, cov):
    """M of E[y | x] = M x: the iteration on the precisions P, R of e^{-xPx/2 - yRy/2 + <Ax, y>}."""
    inverse = np.linalg.inv(cov)
    p = r = inverse
    for _ in range(2000):
        p = inverse + logits.T @ np.linalg.solve(r, logits)
        r = inverse + logits @ np.linalg.solve(p, logits.T)
    return np.linalg.solve(r, logits)


def test_the_sinkhorn_plan_of_a_gaussian_whose_matrices_do_not_commute():
    root, logits = RNG.normal(size=(2, 3, 3))
    cov = root @ root.T + 0.1 * np.eye(3)
    gain = doubly_stochastic_gain(jnp.asarray(logits), jnp.asarray(cov))
    np.testing.assert_allclose(gain, sinkhorn_on_gaussians(logits, cov), atol=1e-10)
    assert np.abs(logits @ cov - cov @ logits).max() > 0.1


def test_the_sinkhorn_plan_needs_no_inverse():
    singular = jnp.diag(jnp.array([1.0, 0.0]))
    gains = jax.jit(doubly_stochastic_gain)
    gain = gains(Q, singular)
    # Nothing moves where there is no mass, and the other direction is one-dimensional.
    alone = gains(Q[:1, :1], jnp.ones((1, 1)))
    np.testing.assert_allclose(gain[:, 0], [alone[0, 0], 0], atol=1e-14)
    slope = jax.grad(lambda a: gains(a, jnp.eye(2)).sum())(jnp.eye(2))
    assert jnp.isfinite(slope).all()


def test_the_covariance_of_softmax_blows_up_when_it_should():
    a, start = 0.8, 1.5
    when = 1 / (2 * a * start)
    flow = GaussianFlow(Softmax(a))
    state = (jnp.zeros(1), jnp.full((1, 1), start))
    ts = jnp.array([0.0, when / 2, 2 * when])
    look = {"cov": lambda s: s[1]}
    run = mf.simulate(flow, state, ts, observe=look, tol=1e-9, throw=False)
    assert not run.ok
    # Steps shrink with the time that is left: what remains is the tolerance times a few.
    np.testing.assert_allclose(run.reached, when, rtol=1e-7)
    np.testing.assert_allclose(run.values["cov"][1], 2 * start, rtol=1e-7)
    with pytest.raises(SolveError, match=r"at t = 0\.41666"):
        mf.simulate(flow, state, ts, observe=look, tol=1e-9)


def test_noise_and_drift_make_an_ornstein_uhlenbeck_process():
    nu, rate, centre, t = 0.3, 0.7, 1.5, 2.0
    flow = GaussianFlow(
        Softmax(0.0, value=jnp.zeros((2, 2))), nu, -rate * jnp.eye(2), jnp.full(2, rate * centre)
    )
    mean, cov = mf.simulate(flow, (MEAN, COV), jnp.array([0.0, t]), tol=1e-10).final
    decay = np.exp(-rate * t)
    np.testing.assert_allclose(mean, centre + decay * (MEAN - centre), atol=1e-8)
    exact = decay**2 * COV + nu / rate * (1 - decay**2) * np.eye(2)
    np.testing.assert_allclose(cov, exact, atol=1e-8)


def test_weighted_tokens_follow_the_closure_to_the_error_of_the_solver():
    nodes, weights = hermite(12)
    attention = MultiHead([Softmax(0.7, Q, K, V), L2(0.7, V, K, Q)])
    ts = jnp.array([0.0, 0.5])
    flow = AttentionFlow(Euclidean(2), attention, weights=weights)
    x = mf.simulate(flow, nodes, ts, tol=1e-9).final
    mean, cov = mf.simulate(GaussianFlow(attention), (MEAN, COV), ts, tol=1e-9).final
    # Twelve nodes integrate e^{<Ax, y>}, |S^{1/2} A x| < 1, to below 1e-9.
    np.testing.assert_allclose(weights @ x, mean, atol=1e-7)
    np.testing.assert_allclose((x - mean).T @ (weights[:, None] * (x - mean)), cov, atol=1e-7)


def test_a_schedule_of_layers():
    layers = Layers([Softmax(0.5), Softmax(-1.0)], [0.0, 0.3])
    _, cov = mf.simulate(GaussianFlow(layers), ONE, jnp.array([0.0, 0.7]), tol=1e-10).final
    # 1/s falls at the rate 2 beta.
    np.testing.assert_allclose(1 / cov, [[1 - 2 * 0.5 * 0.3 + 2 * 1.0 * 0.4]], rtol=1e-7)


FLOW = GaussianFlow(Softmax(1.0))
REFUSED = {
    "not Gaussian": (lambda: GaussianFlow(Unnormalized(1.0)), "keeps a Gaussian"),
    "a head that is not": (
        lambda: GaussianFlow(MultiHead([Unnormalized(1.0)])).check(ONE),
        "keep a Gaussian",
    ),
    "a mask": (lambda: GaussianFlow(Softmax(1.0, mask=causal(3))).check(ONE), "without mask"),
    "one array": (lambda: FLOW.check(jnp.eye(2)), "pair"),
    "variances": (lambda: FLOW.check((jnp.zeros(2), jnp.ones(2))), "shape"),
    "two dimensions": (lambda: FLOW.check((jnp.zeros(2), jnp.eye(3))), "shape"),
    "integers": (lambda: FLOW.check((jnp.zeros(2), jnp.eye(2, dtype=int))), "floating"),
    "two precisions": (lambda: FLOW.check((jnp.zeros(2, "float32"), jnp.eye(2))), "one dtype"),
    "a skew cov": (lambda: FLOW.check((jnp.zeros(2), jnp.array([[1.0, 2], [0, 1]]))), "symmetric"),
    "a negative cov": (lambda: FLOW.check((jnp.zeros(2), -jnp.eye(2))), "negative eigenvalue"),
    "an infinite mean": (lambda: FLOW.check((jnp.full(2, jnp.inf), jnp.eye(2))), "finite"),
    "negative noise": (lambda: GaussianFlow(Softmax(1.0), -1.0), "noise >= 0"),
    "columns": (lambda: GaussianFlow(Softmax(1.0, jnp.ones((1, 3)))).check(ONE), "1 columns"),
    "a tall value": (
        lambda: GaussianFlow(Softmax(1.0, value=jnp.ones((2, 1)))).check(ONE),
        "square value",
    ),
    "a drift": (lambda: GaussianFlow(Softmax(1.0), linear=jnp.eye(2)).check(ONE), "linear"),
    "a push": (lambda: GaussianFlow(Softmax(1.0), constant=jnp.ones(2)).check(ONE), "constant"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name):
    call, message = REFUSED[name]
    check_refused(call, message)
