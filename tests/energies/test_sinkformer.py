"""The Sinkformer functional: its values, its gradient flow, and that softmax is not one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.attention import Sinkhorn, Softmax, Unnormalized
from meanfield.dynamics import AttentionFlow, FokkerPlanck, GradientFlow
from meanfield.energies import Sinkformer, unscaled_sinkformer
from meanfield.geometry import Euclidean
from meanfield.harmonics import Fourier
from meanfield.transport import SquaredEuclidean

N, D, BETA = 6, 3, 2.0
X = jnp.asarray(np.random.default_rng(0).normal(size=(N, D)) / 2)
W = jnp.array([0.3, 0.1, 0.05, 0.2, 0.1, 0.25])
TOL = 1e-13


def test_value_is_the_double_integral():
    x, w = np.asarray(X), np.asarray(W)
    plan = np.asarray(eqx.filter_jit(Sinkhorn(BETA, tol=TOL).plan)(X, None, W)) * w[:, None]
    density = plan / (w[:, None] * w)
    double = -0.5 * np.sum(plan * (np.log(density) - BETA * x @ x.T))
    value = eqx.filter_jit(Sinkformer(BETA, tol=TOL))(X, W)
    np.testing.assert_allclose(value, double, rtol=1e-12)
    zero = 0.5 * np.sum(w[:, None] * w * np.exp(BETA * x @ x.T))
    np.testing.assert_allclose(eqx.filter_jit(unscaled_sinkformer(BETA))(X, W), zero, rtol=1e-13)


@eqx.filter_jit
def drift(flow, x):
    return flow.drift(jnp.zeros(()), x, None)


@eqx.filter_jit
def gradient(energy, x):
    return energy.wasserstein_gradient(x, W)


def test_first_variation_of_points_without_mass():
    """1 - f(x) at all x, f(x) = -log sum_j w_j e^{f_j + beta <x, x_j>}: the potential at any point."""
    x, w = np.asarray(X), np.append(np.asarray(W[:-1]) / 0.75, 0.0)
    kernel, f = np.exp(BETA * x @ x.T), np.zeros(N)
    for _ in range(200):
        f = (f - np.log(kernel @ (w * np.exp(f)))) / 2
    found = jax.jit(jax.grad(lambda w: Sinkformer(BETA, tol=TOL)(X, w)))(jnp.asarray(w))
    np.testing.assert_allclose(found, 1 - f, rtol=1e-9)


def test_sinkhorn_attention_is_the_gradient_flow():
    # Differentiated by reverse mode through the energy alone: it knows of no attention.
    value = -BETA * jnp.eye(D)
    flow = AttentionFlow(Euclidean(D), Sinkhorn(BETA, value=value, tol=TOL), weights=W)
    descent = GradientFlow(Euclidean(D), Sinkformer(BETA, tol=TOL), weights=W)
    velocity = drift(descent, X)
    np.testing.assert_allclose(drift(flow, X), velocity, atol=1e-11)
    # By distance the drift beta x joins it: the velocity (x - E[y|x])/eps.
    distance = Sinkformer(BETA, cost=SquaredEuclidean(), tol=TOL)
    np.testing.assert_allclose(-gradient(distance, X), BETA * X + velocity, atol=1e-11)
    unscaled = eqx.filter_jit(Unnormalized(BETA, value=value))(X, None, W)
    np.testing.assert_allclose(-gradient(unscaled_sinkformer(BETA), X), unscaled, atol=1e-13)


def asymmetry(attention, w):
    """How far w_i field_i is from a gradient: the antisymmetric part of its Jacobian, relative."""
    n, d = X.shape
    jacobian = jax.jit(jax.jacfwd(lambda x: (w[:, None] * attention(x, None, w)).ravel()))(X)
    jacobian = np.asarray(jacobian).reshape(n * d, n * d)
    return np.abs(jacobian - jacobian.T).max() / np.abs(jacobian).max()


def test_softmax_is_no_gradient_flow_and_sinkhorn_is_one():
    # The W2 gradient of a functional F is grad_{x_i} F / w_i, so that w_i field_i has the symmetric
    # Jacobian of -Hess F.
    assert asymmetry(Sinkhorn(BETA, tol=TOL), W) < 1e-11
    assert asymmetry(Unnormalized(BETA), W) < 1e-13
    assert asymmetry(Softmax(BETA), W) > 0.05


def test_value_on_a_density_is_that_of_its_quadrature():
    basis = Fourier(16)
    coeffs = basis.analyze(1 + 0.6 * jnp.cos(basis.nodes) + 0.2 * jnp.sin(2 * basis.nodes))
    energy = Sinkformer(BETA, tol=TOL)
    flow = FokkerPlanck(basis, Sinkhorn(BETA, value=-BETA * jnp.eye(2)))

    @jax.jit
    def all_of(coeffs):
        masses = basis.weights * basis.synthesize(coeffs)
        velocity = flow.drift(jnp.zeros(()), coeffs, None)
        along = jax.jvp(lambda c: energy.on_density(basis, c), (coeffs,), (velocity,))
        return energy(basis.points, masses), *along, flow.dissipation(coeffs)

    quadrature, value, slope, dissipation = all_of(coeffs)
    # e^{2 cos} has the coefficient 1e-18 at degree 24, where the rule of 49 nodes stops being exact.
    np.testing.assert_allclose(value, quadrature, rtol=1e-12)
    # Along its flow with V = -beta I, dF/dt = -int rho |grad F|^2, by forward mode.
    np.testing.assert_allclose(slope, -dissipation, rtol=1e-10)


def test_uniform_law_is_the_least_on_the_circle_and_float32_stays():
    basis = Fourier(16)
    uniform = jnp.zeros(basis.size).at[0].set(1.0)
    bumpy = basis.analyze(1 + 0.6 * jnp.cos(basis.nodes))
    energy = Sinkformer(BETA)
    at = jax.jit(lambda coeffs: energy.on_density(basis, coeffs))
    assert at(uniform) < at(bumpy)
    x = X.astype(jnp.float32)
    for function in (energy, energy.wasserstein_gradient):
        assert jax.eval_shape(lambda x, f=function: f(x), x).dtype == jnp.float32


def test_large_beta_is_half_the_entropy():
    # F_inf + (beta/2) int |x|^2 = (1/2) int rho log rho + constants for beta -> infinity.
    beta, basis = 200.0, Fourier(64)
    energy = Sinkformer(beta)

    @jax.jit
    def at(coeffs):
        rho = basis.synthesize(coeffs)
        half = 0.5 * basis.weights @ (rho * jnp.log(rho))
        return energy.on_density(basis, coeffs) - half

    first, second = (at(basis.analyze(1 + a * jnp.cos(basis.nodes))) for a in (0.2, 0.6))
    # The gap is (1/(16 beta)) times the Fisher information, .2 here, up to constants.
    np.testing.assert_allclose(first, second, atol=2e-4)


@pytest.mark.parametrize("tol", [0.0, -1.0])
def test_tolerances_are_positive(tol):
    check_refused(lambda: Sinkformer(BETA, tol=tol), "tol > 0")
