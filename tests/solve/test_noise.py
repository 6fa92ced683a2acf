"""Noisy runs held against the exact moments of Brownian motion and of Ornstein-Uhlenbeck."""

import diffrax
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
from scipy.linalg import expm

import meanfield as mf
from meanfield.dynamics import Control, Drift
from meanfield.geometry import Euclidean, Sphere
from meanfield.measures import brownian_angle
from meanfield.solve import GeodesicEuler

N = 8000


def moments(d, nu, t, dt, **options):
    """<x_t, x_0> and P_2(<x_t, x_0>) of N tokens: means, standard errors and exact values."""
    start = jnp.zeros((N, d)).at[:, 0].set(1.0)
    walk = Drift(Sphere(d), jnp.zeros_like, noise=nu)
    x = mf.simulate(walk, start, jnp.array([0.0, t]), key=jax.random.key(d), dt=dt, **options).final
    cosine = x[:, 0]
    both = np.stack([cosine, (d * cosine**2 - 1) / (d - 1)])
    exact = np.exp(-np.array([d - 1, 2 * d]) * nu * t)
    return both.mean(axis=1), both.std(axis=1) / np.sqrt(N), exact


@pytest.mark.parametrize("d", [3, *(pytest.param(d, marks=pytest.mark.slow) for d in (2, 16))])
def test_brownian_motion_loses_its_moments_at_the_exact_rate(d):
    # A step shrinks degree 1 by E cos|xi| = 1 - h m + h^2 m (m + 2) / 6, with h = nu dt, m = d - 1,
    # instead of e^{-hm}: a bias of -h^2 m (m - 1) / 3 a step, here at most 7e-4 e^{-.2} in all,
    # below one standard error.
    mean, error, exact = moments(d, nu=0.2 / (d - 1), t=1.0, dt=0.05)
    assert (np.abs(mean - exact) < 2 * error).all()


def test_exact_increments_have_no_bias_at_a_large_step():
    # Two steps of nu dt = .25 on S^2: plain geodesic steps leave (E cos|xi|)^2, which differs from
    # e^-1 by -.052 to leading order, more than ten standard errors.
    nu, dt = 0.5, 0.5
    exactly = GeodesicEuler(Sphere(3), brownian_angle(3, nu * dt))
    mean, error, exact = moments(3, nu, 1.0, dt, solver=exactly)
    assert (np.abs(mean - exact) < 2 * error).all()
    mean, error, exact = moments(3, nu, 1.0, dt)
    assert abs(mean[0] - exact[0]) > 4 * error[0]


def test_exact_increments_go_as_far_as_the_map_of_angles_says():
    angle, lengths = brownian_angle(3, 0.2), jnp.array([0.0, 0.3, 1.5, 3.0])
    start = jnp.tile(jnp.eye(3)[0], (4, 1))
    along = jnp.array([0.0, 0.6, 0.8])
    walk = Drift(Sphere(3), jnp.zeros_like)
    spread = lx.IdentityLinearOperator(jax.ShapeDtypeStruct(start.shape, start.dtype))
    kick = np.sqrt(0.4) * lengths[:, None] * along  # sqrt(2 nu h) g
    noise = diffrax.ControlTerm(lambda t, x, args: spread, lambda t0, t1: kick)
    terms = diffrax.MultiTerm(diffrax.ODETerm(walk.drift), noise)
    t0, t1 = jnp.array(0.0), jnp.array(1.0)
    end = GeodesicEuler(Sphere(3), angle).step(terms, t0, t1, start, None, None, False)[0]
    np.testing.assert_allclose(np.arctan2(end @ along, end[:, 0]), angle(lengths), atol=1e-14)


def expected_cosine(angles, h, nu, kappa):
    """E cos(theta_1) from each angle, by the law of GeodesicEuler's step h with drift kappa P e_1: its
    Markov matrix on functions given at 48 angles, by Gauss-Hermite quadrature, to the power 1/h."""
    z, weight = np.polynomial.hermite_e.hermegauss(24)
    x = jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    tangent = jnp.stack([-x[:, 1], x[:, 0]], axis=1)
    start = jnp.repeat(x, len(z), axis=0)
    kick = jnp.repeat(tangent, len(z), axis=0) * jnp.asarray(np.tile(z, len(x)))[:, None]
    kick = kick * np.sqrt(2 * nu * h)
    pull = Drift(Sphere(2), lambda x: kappa * jnp.eye(2)[0] + 0 * x)
    spread = lx.IdentityLinearOperator(jax.ShapeDtypeStruct(start.shape, start.dtype))
    noise = diffrax.ControlTerm(lambda t, x, args: spread, lambda t0, t1: kick)
    terms = diffrax.MultiTerm(diffrax.ODETerm(pull.drift), noise)
    end = GeodesicEuler(Sphere(2)).step(
        terms, jnp.array(0.0), jnp.array(h), start, None, None, False
    )[0]
    moved = np.arctan2(end[:, 1], end[:, 0]).reshape(len(x), len(z), 1) - angles
    # The cardinal function of trigonometric interpolation at 48 points, 1/48 sum_{|k| < 24} e^{ik u}.
    cardinal = (1 + 2 * np.cos(moved[..., None] * np.arange(1, 24)).sum(axis=-1)) / len(angles)
    markov = np.einsum("z,izj->ij", weight / weight.sum(), cardinal)
    return np.linalg.matrix_power(markov, round(1 / h)) @ np.cos(angles)


def test_geodesic_steps_are_of_weak_order_1():
    nu, kappa, modes = 0.3, 1.0, np.arange(-23, 24)
    angles = 2 * np.pi * np.arange(48) / 48
    # Backward equation u_t = nu u'' - kappa sin(theta) u' of u = sum_k c_k e^{ik theta}.
    generator = np.diag(-nu * modes**2.0)
    generator += kappa / 2 * (np.diag(modes[1:], 1) - np.diag(modes[:-1], -1))
    start = (abs(modes) == 1) / 2
    exact = (np.exp(1j * np.outer(angles, modes)) @ expm(generator) @ start).real
    steps = np.array([1 / 16, 1 / 32, 1 / 64])
    errors = [abs(expected_cosine(angles, h, nu, kappa) - exact).max() for h in steps]
    # No sampling: the next term of the error bends the slope by about the size of a step.
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(slope - 1) < 1 / 16


def test_runs_are_reproducible_by_key():
    walk = Drift(Sphere(3), jnp.zeros_like, noise=0.1)
    start, ts = jnp.eye(3), jnp.array([0.0, 1.0])

    @jax.jit
    @jax.vmap
    def run(seed):
        return mf.simulate(walk, start, ts, key=jax.random.key(seed), dt=0.1).final

    first, again, other = np.asarray(run(np.array([0, 0, 1])))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_ornstein_uhlenbeck_has_its_variance():
    h, nu, steps = 0.05, 0.5, 40
    pull = Drift(Euclidean(1), lambda x: -x, noise=nu)
    ts = jnp.array([0.0, steps * h])
    x = mf.simulate(pull, jnp.ones((N, 1)), ts, key=jax.random.key(4), dt=h).final
    # The Euler step is an autoregression with these moments; as h -> 0 the variance is nu (1 - e^-2t).
    mean = (1 - h) ** steps
    variance = 2 * nu * h * (1 - mean**2) / (1 - (1 - h) ** 2)
    assert abs(x.mean() - mean) < 2 * np.sqrt(variance / N)
    assert abs(x.var() - variance) < 2 * variance * np.sqrt(2 / N)
    np.testing.assert_allclose(variance, nu * (1 - np.exp(-2 * steps * h)), rtol=h)


@pytest.mark.slow
def test_gradients_pass_through_a_noisy_run():
    push = Control(Sphere(3), lambda t, x, args: args * jnp.roll(x, 1, axis=1), noise=0.1)

    @jax.jit
    def loss(push_by):
        out = mf.simulate(
            push,
            jnp.eye(3),
            jnp.array([0.0, 1.0]),
            args=push_by,
            key=jax.random.key(0),
            dt=0.1,
            adjoint=diffrax.RecursiveCheckpointAdjoint(),
        )
        return jnp.sum(out.final[:, 0] ** 2)

    at, h = jnp.array(0.8), 1e-4
    difference = (loss(at + h) - loss(at - h)) / (2 * h)
    # One path of the noise, so a smooth function: the difference is off by h^2.
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(at), difference, atol=1e-7)
