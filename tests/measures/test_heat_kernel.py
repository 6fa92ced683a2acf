"""The heat kernel against wrapped Gaussians and harmonics; Brownian increments that are exact in law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.special import gammaln

from meanfield.harmonics import Gegenbauer
from meanfield.measures import HeatKernel, brownian_angle
from meanfield.measures._heat_numerics import _log_expansion, _log_series, polar_law


def meridian(d, theta):
    return np.stack([np.cos(theta), np.sin(theta), *[np.zeros_like(theta)] * (d - 2)], axis=-1)


def images(d, t, theta):
    """The kernels of S^1 and S^3 as sums over images."""
    turns = theta[:, None] + 2 * np.pi * np.arange(-8, 9)
    gauss = np.exp(-(turns**2) / (4 * t))
    if d == 2:
        return 2 * np.pi / np.sqrt(4 * np.pi * t) * gauss.sum(1)
    around = (turns * gauss).sum(1) / np.sin(theta)
    return 2 * np.pi**2 * np.exp(t) * (4 * np.pi * t) ** -1.5 * around


@pytest.mark.parametrize("d", [2, 4])
@pytest.mark.parametrize("t", [0.01, 0.3])
def test_density_is_the_sum_over_images(d, t):
    theta = np.linspace(1e-3, np.pi - 1e-3, 200)
    exact = images(d, t, theta)
    seen = exact > 1e-12 * exact.max()
    got = np.exp(jax.jit(lambda x: HeatKernel(d, t).log_density(x))(meridian(d, theta)))
    # Cubic interpolation in cells of 1.5e-3: about 1e-10.
    np.testing.assert_allclose(np.asarray(got)[seen], exact[seen], rtol=1e-9)


def test_density_is_what_the_harmonics_say():
    d, t, basis = 8, 0.1, Gegenbauer(8, 32)
    # At the pole the degrees left out carry N(8, 33) e^{-33 * 39 t} < 1e-48.
    kernel = basis.synthesize(basis.heat(basis.moments(jnp.ones(1)), t))
    points = meridian(d, np.arccos(np.asarray(basis.nodes)))
    got = np.exp(jax.jit(lambda x: HeatKernel(d, t).log_density(x))(points))
    # The harmonics hold the density to rounding of its peak, 2e3.
    np.testing.assert_allclose(got, kernel, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("d", [3, 16, 128])
def test_the_two_ways_to_compute_it_agree_where_they_meet(d):
    # At the border of the expansion. A relative error of the density moves the distribution function
    # by at most itself times the probability beyond.
    s = min(0.05, 0.64 / d)
    law = polar_law(d, s)
    beyond = np.minimum(law.below, law.above)
    seen = beyond > 1e-13
    gap = _log_series(d, s, law.edges[seen]) - _log_expansion(d, s, law.edges[seen])
    assert np.abs(gap * beyond[seen]).max() < 1e-10


@pytest.mark.parametrize(
    "s", [1e-2, 10.0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1e-5, 0.3))]
)
def test_brownian_angle_has_the_exact_moments(s):
    # E P_k(cos theta) = e^{-k(k + d - 2) s}: all moments of the law, by Gauss points in r.
    for d in (2, 3, 16, 128):
        m = d - 1
        points, weights = np.polynomial.legendre.leggauss(300)
        r = (np.sqrt(m) + 9) * (points + 1) / 2
        chi = np.exp((m - 1) * np.log(r) - r**2 / 2 - (m / 2 - 1) * np.log(2) - gammaln(m / 2))
        mass = (np.sqrt(m) + 9) / 2 * weights * chi
        cosine = np.cos(brownian_angle(d, s)(jnp.asarray(r)))
        before, here = np.ones_like(cosine), cosine
        for k in range(1, 7):
            # Measured 2e-12 at most; a distribution function wrong by delta moves E P_k by k delta.
            assert abs(mass @ here - np.exp(-k * (k + d - 2) * s)) < 1e-9, (d, k)
            after = ((2 * k + d - 2) * cosine * here - k * before) / (k + d - 2)
            before, here = here, after


def test_brownian_angle_increases_to_the_antipode():
    r = jnp.linspace(0.0, 40.0, 3000)
    for d, s in ((2, 10.0), (3, 1.0), (128, 1e-3)):
        theta = np.asarray(brownian_angle(d, s)(r))
        # Where probabilities run out, the last digits of pi may go either way.
        assert np.diff(theta).min() > -1e-11
        assert theta[0] == 0 and theta.max() <= np.pi * (1 + 1e-15)


def test_small_increments_are_flat():
    # theta = r sqrt(2s) (1 + O(d s)).
    s, r = 1e-5, jnp.linspace(0.5, 3.0, 9)
    np.testing.assert_allclose(brownian_angle(3, s)(r), r * np.sqrt(2 * s), rtol=3 * s)
    np.testing.assert_allclose(brownian_angle(2, s)(r), r * np.sqrt(2 * s), rtol=1e-9)


def test_samples_have_the_law():
    d, t, n = 5, 0.2, 20_000
    mean = jnp.array([0.0, 0.6, 0.8, 0.0, 0.0])
    law = HeatKernel(d, t, mean)

    @jax.jit
    def draw(key):
        x = law.sample(key, n)
        return x, -law.log_density(x)

    x, surprise = map(np.asarray, draw(jax.random.key(0)))
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-14)
    # E x = e^{-(d-1) t} mean; each coordinate has variance below 1.
    assert np.abs(x.mean(0) - np.exp(-4 * t) * np.asarray(mean)).max() < 4 / np.sqrt(n)
    # -log rho has mean entropy and variance about (d-1)/2.
    error = surprise.std() / np.sqrt(n)
    assert abs(surprise.mean() - float(law.entropy())) < 4 * error


def test_entropy_is_the_integral_and_vanishes_with_time():
    basis, t = Gegenbauer(4, 64), 0.1
    rho = images(4, t, np.arccos(np.asarray(basis.nodes)))
    exact = -float(np.sum(np.asarray(basis.weights) * rho * np.log(rho)))
    assert float(HeatKernel(4, t).entropy()) == pytest.approx(exact, rel=1e-9)
    # rho = 1 + N e^{-(d-1) t} P_1: entropy -N e^{-2(d-1) t} / 2 to leading order.
    expected = -4 * np.exp(-2 * 3 * 3.0) / 2
    assert float(HeatKernel(4, 3.0).entropy()) == pytest.approx(expected, rel=1e-3)


def test_float32_mean_gives_float32_samples():
    law = HeatKernel(3, 0.2, jnp.eye(3, dtype=jnp.float32)[2])

    def all_of(key):
        x = law.sample(key, 8)
        return x, law.log_density(x), law.entropy()

    assert {a.dtype for a in jax.eval_shape(all_of, jax.random.key(1))} == {np.dtype("float32")}


def test_gradient_at_the_pole_is_zero():
    law = HeatKernel(3, 0.2)
    slope = jax.jit(jax.grad(lambda x: law.log_density(x)))(law.mean)
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_bad_arguments_are_refused():
    check_refused(lambda: HeatKernel(3, 0.0), "1e-5 <= t")
    check_refused(lambda: brownian_angle(512, 0.1), "d <= 128")
    check_refused(lambda: jax.jit(lambda s: brownian_angle(3, s)(jnp.ones(1)))(0.1), "outside jit")
    check_refused(lambda: HeatKernel(3, 0.1, jnp.ones(3)), "unit vector")
    check_refused(lambda: HeatKernel(3, 0.1, jnp.ones(2)), "mean of shape [3]")
