"""Steps end at minimizers, at any tau, in both precisions; and those that do not, say so and fail."""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtri

from meanfield.attention import Sinkhorn
from meanfield.dynamics import PreNorm
from meanfield.energies import Circle, Entropy, Interaction, InternalEnergy, Potential
from meanfield.geometry import Euclidean
from meanfield.schemes import (
    AbstractScheme,
    EntropicJKO,
    ParticleJKO,
    QuantileJKO,
    SecondOrderJKO,
    TransformerLayers,
)
from meanfield.solve import SolveError, rollout
from meanfield.transport import Box

LEVELS = (np.arange(100) + 0.5) / 100
WELLS = Potential(lambda x: (x[0] ** 2 - 1) ** 2) + 0.3 * Entropy()


@functools.cache
def wells(dtype):
    """One step in the double well by (tau, start): from one well, and from its top, where the
    Hessian is not positive. One program for all."""
    starts = jnp.asarray(np.stack([0.3 * ndtri(LEVELS) - 1, 0.01 * ndtri(LEVELS)]), dtype)

    @jax.jit
    def step(tau, start):
        return QuantileJKO(WELLS, tau).step(start, None)

    pairs = itertools.product((0.5, 5.0, 1000.0), (0, 1))
    return {(tau, i): (starts[i], *step(jnp.asarray(tau, dtype), starts[i])) for tau, i in pairs}


def force_and_curvature(x, old, tau):
    """The derivatives of the step's functional, by hand: w (V' + (X - Y)/tau), and 0.3 times those of
    -sum_i c_i log(X_{i+1} - X_i) with c_i = -(z_{i+1} - z_i) sum_{j<=i} w_j z_j."""
    z = ndtri(LEVELS)
    masses = np.asarray(QuantileJKO(WELLS, 1.0).domain.masses(100))
    c = -np.diff(z) * np.cumsum(masses * z)[:-1]
    force = masses * (4 * x * (x**2 - 1) + (x - old) / tau)
    push, stiff = 0.3 * c / np.diff(x), 0.3 * c / np.diff(x) ** 2
    force = force + np.append(push, 0) - np.append(0, push)
    diagonal = masses * (12 * x**2 - 4 + 1 / tau) + np.append(stiff, 0) + np.append(0, stiff)
    return force, np.diag(diagonal) - np.diag(stiff, 1) - np.diag(stiff, -1)


@pytest.mark.parametrize("tau", [0.5, 5.0, 1000.0])
def test_steps_without_convexity_end_at_minimizers(tau):
    for i in (0, 1):
        old, new, info = wells("float64")[tau, i]
        force, hessian = force_and_curvature(np.asarray(new), np.asarray(old), tau)
        assert bool(info["converged"]) and float(info["excess"]) < 0
        assert np.linalg.eigvalsh(hessian).min() > 0  # a minimum, and no saddle
        # The error, by a Newton step of LAPACK: rounding of 1e-16 times a condition of about 1e6.
        assert np.abs(np.linalg.solve(hessian, force)).max() < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.5, 5.0, 1000.0])
def test_single_precision_finds_the_same_minimizers(tau):
    for i in (0, 1):
        _, new, info = wells("float32")[tau, i]
        assert bool(info["converged"])
        # 32 eps of positions of 1.4, times the softness of the top between the wells.
        np.testing.assert_allclose(new, wells("float64")[tau, i][1], atol=1e-4)


@pytest.mark.parametrize("double", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_stiff_densities_in_single_precision(double):
    x = np.linspace(-1, 2, 1024)

    @jax.jit
    def step(x, stiffness=40.0, tau=0.1):
        stiffness, tau = (jnp.asarray(a).astype(x.dtype) for a in (stiffness, tau))
        energy = Potential(lambda x: stiffness * x[0] ** 2) + InternalEnergy(3.0)
        return QuantileJKO(energy, tau).step(x, None)

    # The number has five digits (5e-6), positions of order one 64 eps (8e-6).
    single, told = step(np.float32(x))
    assert float(single[0]) == pytest.approx(-0.33986, abs=2e-5) and bool(told["converged"])
    if double:
        new, info = step(x)
        assert float(new[0]) == pytest.approx(-0.33986, abs=1e-5) and bool(info["converged"])
        # 32 eps of positions below 2.
        np.testing.assert_allclose(single, new, atol=64 * np.finfo(np.float32).eps)
    # Gaps of 3e-6 at 1 are 25 units apart in float32, which tell no density.
    close = np.float32(1 + 1e-3 * x)
    assert not bool(step(close, 0.0, 1e-12)[1]["converged"])
    assert not double or bool(step(np.float64(close), 0.0, 1e-12)[1]["converged"])


@pytest.mark.slow
def test_tokens_on_the_circle_cluster_in_every_step():
    n, beta, tau = 40, 3.0, 2.0
    angles = 2 * np.pi * (np.arange(n) + 0.5) / n
    start = angles + 0.05 * np.sin(angles) - 0.02 * np.cos(2 * angles)
    scheme = QuantileJKO(-Interaction(beta), tau, Circle())
    run = rollout(scheme, jnp.asarray(start), 3, observe={"x": lambda x: x})
    assert run.stats["converged"].all()
    x, before = np.asarray(run.final), np.asarray(run.values["x"][-2])
    gap = x[:, None] - x
    pull = -(np.sin(gap) * np.exp(beta * np.cos(gap))).mean(axis=1)
    # x' = x + tau * field(x'), of condition one.
    np.testing.assert_allclose(x, before + tau * pull, atol=1e-12)
    assert np.diff(x).min() >= 0 and np.ptp(x) <= 2 * np.pi


def test_a_step_without_a_minimizer_fails_and_names_what_the_caller_has():
    start, hill = jnp.asarray(ndtri(LEVELS)), Potential(lambda x: -(x[0] ** 2))
    scheme = QuantileJKO(hill, 10.0)
    with pytest.raises(
        SolveError, match=r"Step 1 of 2 did not converge: take a smaller tau"
    ) as error:
        rollout(scheme, start, 2)
    assert not any(word in str(error.value) for word in ("dt", "ts", "beta"))
    run = rollout(scheme, start, 2, throw=False)
    assert not bool(run.ok) and not run.stats["converged"].any()
    # It is convex below tau = 1/2: x' = x/(1 - 2 tau).
    run = rollout(QuantileJKO(hill, 0.25), start, 2)
    np.testing.assert_allclose(run.final, 4 * start, rtol=1e-12)
    with pytest.raises(SolveError, match="smaller tau"):
        rollout(ParticleJKO(Euclidean(1), hill, 10.0), start[:5, None], 1)


def test_nan_gives_nan_or_no_convergence():
    start = jnp.asarray(ndtri(LEVELS))
    broken = QuantileJKO(Potential(lambda x: jnp.log(x[0] - 5)), 0.1)
    assert not bool(eqx.filter_jit(broken.step)(start, None)[1]["converged"])
    cloud = ParticleJKO(Euclidean(1), Potential(lambda x: jnp.log(x[0] - 50)), 0.1)
    assert not bool(eqx.filter_jit(cloud.step)(start[:5, None], None)[1]["converged"])


BOX = Box(-4.0, 4.0, 40)
DENSITY = BOX.evaluate(lambda x: jnp.exp(-((x[0] - 1) ** 2)))
BOWL = Potential(lambda x: x[0] ** 2 / 2) + Entropy()


def test_entropic_steps_that_end_early_say_so():
    scheme = EntropicJKO(BOX, BOWL, 0.2, 0.4, max_iterations=1)
    assert not rollout(scheme, DENSITY, 1, throw=False).stats["converged"].any()
    with pytest.raises(SolveError, match="Step 1 of 1 did not converge: raise max_iterations"):
        rollout(scheme, DENSITY, 1)


@pytest.mark.slow
def test_entropic_steps_by_default_reach_what_each_precision_allows():
    impossible = EntropicJKO(BOX, BOWL, 0.2, 0.4, tol=1e-300)
    assert not bool(eqx.filter_jit(impossible.step)(DENSITY, None)[1]["converged"])
    enough = EntropicJKO(BOX, BOWL, 0.2, 0.4)
    for dtype, tol in ((float, 1e-10), (np.float32, 1e-5)):
        new, info = enough.step(DENSITY.astype(dtype), None)
        assert bool(info["converged"]) and float(info["error"]) <= tol
        # The error of marginals, times 1 + nu/epsilon or so.
        np.testing.assert_allclose(new, enough.step(DENSITY, None)[0], atol=10 * tol)


def test_layers_tell_whether_their_attention_converged():
    x = jax.random.normal(jax.random.key(0), (5, 3))
    step = eqx.filter_jit(lambda scheme: scheme.step(x, None))
    for most, converged in ((1, False), (2000, True)):
        layers = TransformerLayers(3, Sinkhorn(2.0, max_iterations=most), PreNorm(), 0.1)
        new, info = step(layers)
        assert bool(info["converged"]) == converged == bool(jnp.isfinite(new).all())
    assert rollout(layers, x, 2).stats["converged"].all()


class Growth(AbstractScheme):
    """x -> x^2: finite for a while."""

    def step(self, state, args):
        return state**2, {}

    def project(self, state):
        return state

    def check(self, state):
        return state


def test_the_first_step_beyond_all_numbers_is_named():
    # 10^(2^k) is beyond 1e154, the square of which is no number, from k = 8 on.
    with pytest.raises(
        SolveError, match="Step 8 of 12 left a state that is NaN or beyond all scale"
    ):
        rollout(Growth(), jnp.array([10.0]), 12)
    assert bool(rollout(Growth(), jnp.array([10.0]), 7).ok)


@pytest.mark.slow  # of other runs in test_quantile_jko.py
@pytest.mark.parametrize("scheme", [QuantileJKO, SecondOrderJKO])
def test_the_excess_is_that_of_the_energy_inequality(scheme):
    start, tau = jnp.asarray(1 + 0.5 * ndtri((np.arange(9) + 0.5) / 9)), 0.25
    run = rollout(scheme(BOWL, tau), start, 2, observe={"x": lambda x: x})
    masses = run.values["x"][0] * 0 + scheme(BOWL, tau).domain.masses(9)
    energies = [float(BOWL.on_quantiles(scheme(BOWL, tau).domain, x)) for x in run.values["x"]]
    squares = np.diff(np.asarray(run.values["x"]), axis=0) ** 2 @ np.asarray(masses)
    np.testing.assert_allclose(run.stats["moved"], np.sqrt(squares), rtol=1e-12)
    # E' - E, and with W2^2/(2 tau) at the first order.
    more = squares / (2 * tau) if scheme is QuantileJKO else 0
    np.testing.assert_allclose(run.stats["excess"], np.diff(energies) + more, atol=1e-14)
    assert float(run.stats["excess"].max()) < 0
