"""Entropic minimizing movements in boxes: exact recursions, bias, energy, derivatives, refusals."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from meanfield.energies import Entropy, InternalEnergy, Potential
from meanfield.harmonics import Fourier
from meanfield.schemes import Biased, Debiased, EntropicJKO, Richardson
from meanfield.solve import rollout
from meanfield.transport import Box, GeodesicGrid

TAU, STEPS = 0.1, 10
LINE = Box(-5.0, 5.0, 160)


def bowl(stiffness, x):
    return stiffness @ x**2 / 2


def ornstein_uhlenbeck(stiffness, nu=1.0):
    return Potential(Partial(bowl, jnp.asarray(stiffness))) + nu * Entropy()


def exact_std(s, stiffness, nu, tau, steps):
    """JKO of Gaussians: (1 + stiffness tau) s' = s + nu tau/s' along each axis."""
    for _ in range(steps):
        shrink = 1 + stiffness * tau
        s = (s + np.sqrt(s * s + 4 * nu * tau * shrink)) / (2 * shrink)
    return s


def gaussian(domain, mean, std):
    return domain.evaluate(lambda x: jnp.exp(-(((x - jnp.asarray(mean)) / std) ** 2).sum() / 2))


def moments(domain, density):
    mass = domain.weights * density
    mean = mass @ domain.points
    return mean, jnp.sqrt(mass @ (domain.points - mean) ** 2)


@pytest.fixture(scope="module")
def run():
    """Ten steps of the Ornstein-Uhlenbeck process from N(1, 1/4), by bias and epsilon."""

    @functools.cache
    def end(bias, epsilon):
        scheme = EntropicJKO(LINE, ornstein_uhlenbeck([1.0]), TAU, epsilon, bias)
        return rollout(scheme, gaussian(LINE, 1.0, 0.5), STEPS)

    return end


def test_a_potential_acts_where_there_is_nothing_yet():
    """From one cell at x_0 a biased step is a Gaussian about x_0/(1 + tau), of variance
    tau (nu + epsilon)/(1 + tau): all of its support lies where the density was 0."""
    scheme = EntropicJKO(LINE, ornstein_uhlenbeck([1.0]), TAU, 0.1, Biased())
    start = jnp.zeros(160).at[100].set(1.0) / LINE.weights[0]
    mean, std = moments(LINE, rollout(scheme, start, 1).final)
    np.testing.assert_allclose(mean, LINE.points[100] / (1 + TAU), rtol=1e-8)
    np.testing.assert_allclose(std, np.sqrt(TAU * 1.1 / (1 + TAU)), rtol=1e-8)


@pytest.mark.parametrize("bias", [Debiased(), Richardson()], ids=str)
def test_ornstein_uhlenbeck_is_the_exact_recursion(bias, run):
    end = run(bias, 0.05)
    mean, std = moments(LINE, end.final)
    exact = exact_std(0.5, 1.0, 1.0, TAU, STEPS)
    assert exact == pytest.approx(0.934189, abs=1e-6)
    # 6.5e-6 and 2.4e-5 were measured, both of order epsilon^2: see below.
    assert float(std[0]) == pytest.approx(exact, abs=1e-4)
    assert float(mean[0]) == pytest.approx(1.1**-STEPS, abs=1e-4)
    assert end.stats["converged"].all()
    assert float(end.stats["error"].max()) <= 1e-10
    assert float(LINE.weights @ end.final) == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize(
    "bias, order", [(Biased(), 1), (Debiased(), 2), (Richardson(), 2)], ids=lambda a: str(a)
)
def test_the_bias_is_of_order_one_in_epsilon_and_removed_to_order_two(bias, order, run):
    exact = exact_std(0.5, 1.0, 1.0, TAU, STEPS)
    errors = [float(moments(LINE, run(bias, e).final)[1][0]) - exact for e in (0.2, 0.1, 0.05)]
    # The box cuts off normal tails, 3e-6 of the deviation whatever epsilon: differences drop it.
    large, small = -np.diff(errors)
    # The next order is a part epsilon of the bias: 1.5 (.2 - .1)/2 of it more in one than in the other.
    assert np.log2(large / small) == pytest.approx(order, abs=0.15 / 2 / np.log(2))


def test_the_published_biases_are_found(run):
    # Without correction, and with the self-transport term replaced by its limit epsilon/2 * entropy.
    assert float(moments(LINE, run(Biased(), 0.2).final)[1][0]) == pytest.approx(0.9777, abs=1e-4)
    assert float(moments(LINE, run(Biased(), 0.05).final)[1][0]) == pytest.approx(0.9452, abs=1e-4)


def test_accelerated_and_warm_iterations_are_few(run):
    end = run(Biased(), 0.05)
    # Less than at Young's rate, the best of over-relaxation, for slopes up to share = nu/(nu + epsilon),
    # from an error of order one to that of half the tolerance.
    root = np.sqrt(1 - 1 / 1.05)
    rate = (1 - root) / (1 + root)
    most = np.log(1e-10 / 2) / np.log(rate)
    plain = np.log(1e-10 / 2) / np.log(1 / 1.05)
    counts = np.asarray(end.stats["iterations"])
    assert counts[1:].max() <= most < plain / 5
    assert counts[0] <= 1.5 * most


def test_rough_starts_in_empty_space_converge():
    # Steps of any length go round in circles here; what is nearly empty has potentials of 27 nu.
    scheme = EntropicJKO(LINE, ornstein_uhlenbeck([1.0]), TAU, 0.1)
    block = LINE.evaluate(lambda x: jnp.where(jnp.abs(x[0] - 1) < 0.5, 1.0, 0.0))
    end = rollout(scheme, block, STEPS)
    assert end.stats["converged"].all()
    assert float(end.stats["rise"].max()) < 0


def test_a_tolerance_that_rounding_does_not_allow_fails_where_it_was_asked_for():
    # Potentials of 180/.02 = 9,000 units of epsilon have errors of 9,000 * 6e-8, spread over the marginal.
    box, steep = Box(-3.0, 3.0, 200), Potential(Partial(bowl, jnp.array([40.0], jnp.float32)))
    start = gaussian(box, 0.5, 0.1**0.5)
    start = (start / (box.weights @ start)).astype(jnp.float32)
    told = {}
    for name, tol in (("by default", None), ("asked for", 1e-5)):
        scheme = EntropicJKO(box, steep + 0.2 * Entropy(), 0.1, 0.02, tol=tol)
        told[name] = scheme.step(start, None)[1]
    assert told["by default"]["error"] == told["asked for"]["error"] > 1e-5
    assert told["by default"]["converged"] and not told["asked for"]["converged"]


def test_two_dimensions():
    box, tau, epsilon = Box((-4.0, -4.0), (4.0, 4.0), (28, 24)), 0.25, 0.2
    stiffness = np.array([1.0, 2.0])
    scheme = EntropicJKO(box, ornstein_uhlenbeck(stiffness, 0.5), tau, epsilon)
    end = rollout(scheme, gaussian(box, [0.5, 0.0], 1.0), 3)
    mean, std = moments(box, end.final)
    exact = exact_std(np.ones(2), stiffness, 0.5, tau, 3)
    # epsilon^2 of one order more than on the line, where tau nu is smaller.
    np.testing.assert_allclose(std, exact, atol=3e-3)
    np.testing.assert_allclose(mean, [0.5 * 1.25**-3, 0], atol=3e-3)
    assert float(end.stats["rise"].max()) < 0


def test_gradients_in_the_parameters_of_the_energy():
    box = Box(-3.0, 3.0, 24)

    @jax.jit
    def spread(parameters):
        stiffness, nu, tau, epsilon = parameters
        scheme = EntropicJKO(box, ornstein_uhlenbeck(stiffness[None], nu), tau, epsilon, tol=1e-13)
        return moments(box, scheme.step(gaussian(box, 0.5, 0.7), None)[0])[1][0]

    at, h = jnp.array([1.3, 0.8, 0.2, 0.4]), 1e-4
    gradient = jax.grad(spread)(at)
    for i, direction in enumerate(jnp.eye(4)):
        slope = (spread(at + h * direction) - spread(at - h * direction)) / (2 * h)
        # h^2 times a third derivative of order one.
        assert float(gradient[i]) == pytest.approx(float(slope), abs=1e-7)


def test_bad_input_is_refused():
    energy = ornstein_uhlenbeck([1.0])
    for arguments, message in (
        ((LINE, Potential(lambda x: x[0]), 0.1, 0.1), "Entropy"),
        ((LINE, energy + InternalEnergy(2.0), 0.1, 0.1), "QuantileJKO"),
        ((LINE, energy, 0.0, 0.1), "tau > 0"),
        ((LINE, energy, 0.1, -0.1), "epsilon > 0"),
        ((LINE, energy, 0.1, 2.5), "epsilon < 2"),
        ((LINE, energy, 0.1, 1e-3), "more cells"),
        ((GeodesicGrid(Fourier(4)), energy, 0.1, 0.1), "higher degree"),
    ):
        with pytest.raises(ValueError, match=message):
            EntropicJKO(*arguments)
    with pytest.raises(ValueError, match=r"expected tol > 0, .*; leave it out"):
        EntropicJKO(LINE, energy, 0.1, 0.1, tol=-1.0)
    for arguments, message in (
        ((0.0, 0.0, 10), "low < high"),
        ((0.0, 1.0, 2), ">= 4"),
        (((0.0, 0.0), 1.0, 10), "one length"),
        ((0.0, jnp.inf, 10), "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            Box(*arguments)
    scheme = EntropicJKO(LINE, energy, 0.1, 0.1)
    density = gaussian(LINE, 0.0, 1.0)
    for start, message in (
        (density[1:], "160 points"),
        (2 * density, "mass 1"),
        (density + jnp.sin(LINE.points[:, 0]), "density >= 0"),
    ):
        with pytest.raises(ValueError, match=message):
            rollout(scheme, start, 1)
