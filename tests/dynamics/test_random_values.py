"""Random value matrices: noise that all tokens share, its layers, and the theory of two tokens."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import RandomValues
from meanfield.geometry import Euclidean, Sphere
from meanfield.landscape import RandomPair
from meanfield.schemes import RandomLayers
from meanfield.solve import GeodesicLM

KEY = jax.random.key(0)


def pair(c, d):
    x = np.zeros((2, d))
    x[0, 0], x[1, :2] = 1.0, (c, np.sqrt(1 - c**2))
    return jnp.asarray(x)


@pytest.mark.parametrize(
    ("beta", "d", "c"),
    [(2.0, 3, -0.6), (0.7, 5, 0.2), pytest.param(2.0, 8, 0.8, marks=pytest.mark.slow)],
)
def test_the_diffusion_of_two_tokens_is_that_of_thin_layers(beta, d, c):
    # E f(V) = f + (h s^2/2) tr f'' and Var f(V) = h s^2 |f'|^2 for V of variance h s^2, as h -> 0.
    scale, pull, x = 1.3, 0.4, pair(c, d)
    moments = np.asarray(eqx.filter_jit(Softmax(beta).__call__)(x))

    def overlap(values):
        y = Sphere(d).project(x + moments @ values.reshape(d, d).T)
        return y[0] @ y[1]

    def pulled(h):
        y = Sphere(d).project(x + h * pull * moments)
        return y[0] @ y[1]

    theory = RandomPair(beta, d, scale, pull)

    @jax.jit
    def both(zero):
        slope, bend = jax.grad(overlap)(zero), jax.hessian(overlap)(zero)
        drift = scale**2 / 2 * jnp.trace(bend) + jax.grad(pulled)(0.0)
        told = theory.drift(c), theory.variance(c)
        return told, (drift, scale**2 * slope @ slope)

    np.testing.assert_allclose(*both(jnp.zeros(d * d)), rtol=1e-12)


@pytest.mark.parametrize(("d", "expected"), [(3, 0.0), (8, 1.23894), (32, 2.04703)])
def test_antipodes_attract_from_a_critical_beta_on(d, expected):
    found = RandomPair(1.0, d).critical_beta()
    np.testing.assert_allclose(found, expected, atol=5e-6)
    assert RandomPair(expected + 0.01, d).antipodal() > 0
    if expected:
        assert RandomPair(expected - 0.01, d).antipodal() == 0
        # With a pull, 4 pull/((1 + e^{2 beta}) s^2) is added to (d-1)/cosh^2 beta < 2.
        beta = expected + 0.3
        left = (2 - (d - 1) / np.cosh(beta) ** 2) * (1 + np.exp(2 * beta)) * 1.5**2 / 4
        assert RandomPair(beta, d, 1.5, 0.99 * left).antipodal() > 0
        assert RandomPair(beta, d, 1.5, 1.01 * left).antipodal() == 0


@pytest.mark.parametrize(("beta", "d", "c"), [(2.23, 8, 0.0), (1.0, 3, -0.3), (2.661, 32, 0.0)])
def test_the_probability_of_antipodes_is_that_of_the_scale_function(beta, d, c):
    theory = RandomPair(beta, d)

    def slope(y):
        # 2 drift/variance of y = artanh c by Ito: dy = dc/(1 - c^2) + c/(1 - c^2)^2 d<c>.
        c = jnp.tanh(y)
        variance = theory.variance(c) / (1 - c**2) ** 2
        return 2 * (theory.drift(c) / (1 - c**2) / variance + c)

    grid = np.linspace(-8, 8, 3201)
    slopes = np.asarray(jax.jit(jax.vmap(slope))(grid))
    phi = np.concatenate([[0.0], np.cumsum((slopes[1:] + slopes[:-1]) / 2 * 0.005)])
    density = np.exp(phi.max() / 2 - phi)
    below, above = density[0] / -slopes[0], density[-1] / slopes[-1]  # beyond the grid
    split = np.searchsorted(grid, np.arctanh(c) - 1e-9)
    above += np.interp(np.arctanh(c), grid[split - 1 : split + 1], [0.005, 0]) * density[split]
    above += np.trapezoid(density[split:], grid[split:])
    # Trapezoids of length .005: 1e-5; the slopes have not quite their last values at the ends, 1e-6.
    total = np.trapezoid(density, grid) + below + density[-1] / slopes[-1]
    np.testing.assert_allclose(theory.antipodal(c), above / total, atol=5e-5)


@pytest.mark.parametrize(
    ("beta", "d", "expected"),
    # Of 2,000 independent runs to t = 40: standard errors .005 to .01.
    [
        *[(0.867, 8, 0.0), (1.611, 8, 0.043), (2.23, 8, 0.119)],
        *[(1.433, 32, 0.0), (2.661, 32, 0.020), (3.685, 32, 0.099)],
        *[(0.5, 3, 0.0985), (1.0, 3, 0.2255), (2.0, 3, 0.3175)],
    ],
)
def test_tokens_end_antipodal_as_often_as_in_runs(beta, d, expected):
    error = np.sqrt(expected * (1 - expected) / 2000)
    np.testing.assert_allclose(RandomPair(beta, d).antipodal(), expected, atol=2.5 * error)


def test_a_layer_draws_one_matrix_for_all_tokens():
    x = Sphere(3).sample(KEY, 4)
    scheme = RandomLayers(3, Softmax(2.0), KEY, 1.5, 0.04, 0.7)
    (found, layers), _ = scheme.step((x, jnp.array(5.0)), None)
    values = 1.5 * jax.random.normal(jax.random.fold_in(KEY, jnp.uint32(5)), (3, 3))
    moments = Softmax(2.0)(x)
    expected = x + 0.2 * jnp.einsum("ab,ib->ia", values, moments) + 0.04 * 0.7 * moments
    np.testing.assert_allclose(found, Sphere(3).project(expected), rtol=1e-13)
    assert layers == 6
    again, layers = scheme.check((x, 5.0))  # a run goes on from such a pair
    np.testing.assert_array_equal(again, x)
    assert layers == 5


def test_merged_and_antipodal_tokens_stay_so():
    x = jnp.array([[0.6, 0.8, 0.0], [-0.6, -0.8, 0.0]])
    flow = RandomValues(Sphere(3), Softmax(1.0), 1.0)
    run = mf.simulate(flow, x, jnp.array([0.0, 0.5]), key=KEY, dt=0.05).final
    np.testing.assert_allclose(run[0], -run[1], atol=1e-13)
    assert jnp.abs(run - x).max() > 0.1  # it did move
    layers = RandomLayers(3, Softmax(1.0), KEY)
    both, count = mf.rollout(layers, x[jnp.array([0, 0])], 5).final
    np.testing.assert_allclose(both[0], both[1], atol=1e-15)
    assert count == 5 and jnp.abs(both[0] - x[0]).max() > 1e-3


def test_the_noise_of_a_run_is_that_of_the_theory():
    # c after a short time, over many draws: mean and variance within four standard errors.
    c, d, t, draws = 0.3, 3, 0.02, 4096
    flow, theory = RandomValues(Sphere(d), Softmax(1.5), 0.8, 2.0), RandomPair(1.5, d, 0.8, 2.0)

    @jax.jit
    @jax.vmap
    def overlap(key):
        run = mf.simulate(flow, pair(c, d), jnp.array([0.0, t]), key=key, dt=0.01)
        return run.final[0] @ run.final[1]

    moved = np.asarray(overlap(jax.random.split(KEY, draws))) - c
    spread = np.sqrt(theory.variance(c) * t)
    # Terms of second order in t are t times larger than those of first order: 2 % of the mean.
    mean, error = float(theory.drift(c)) * t, spread / np.sqrt(draws)
    np.testing.assert_allclose(moved.mean(), mean, atol=4 * error + 0.05 * abs(mean))
    np.testing.assert_allclose(moved.std() / spread, 1, atol=4 / np.sqrt(2 * draws) + 0.05)


def test_shared_noise_refuses_what_is_not_right_for_it():
    flow, x = RandomValues(Sphere(3), Softmax(1.0)), Sphere(3).sample(KEY, 2)
    times = jnp.array([0.0, 1.0])
    check_refused(lambda: mf.simulate(flow, x, times), "key and dt")
    for solver in (diffrax.Heun(), GeodesicLM(Sphere(3))):
        with pytest.raises(ValueError, match="that all tokens share"):
            mf.simulate(flow, x, times, key=KEY, dt=0.1, solver=solver)
    check_refused(lambda: RandomValues(Euclidean(3), Softmax(1.0)), "Sphere")
    check_refused(lambda: RandomPair(1.0, 3).antipodal(1.0), "-1 < c < 1")
    check_refused(lambda: mf.simulate(flow, x, times, key=KEY, dt=0.1, merge=0.1), "merge")
