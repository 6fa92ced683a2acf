"""The von Mises-Fisher law against Bessel functions, S^2 in closed form, quadrature and its samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammaln, ive

from meanfield.measures import VonMisesFisher

KAPPAS = jnp.array([0.0, 1e-3, 0.3, 3.0, 40.0, 700.0, 1e4])


def law(d, kappa):
    return VonMisesFisher(jnp.eye(d)[-1], kappa)


def log_z(d, kappa):
    """log int e^{kappa (t-1)} c_d (1-t^2)^{(d-3)/2} = log( Gamma(d/2) (2/kappa)^nu e^-kappa I_nu )."""
    nu = d / 2 - 1
    return gammaln(d / 2) + nu * np.log(2 / kappa) + np.log(ive(nu, kappa))


@pytest.mark.parametrize(("d", "least"), [(2, 1e-3), (3, 1e-3), (8, 1e-3), (64, 0.3), (512, 40.0)])
def test_resultant_entropy_and_density_match_bessel_functions(d, least):
    kappas = KAPPAS[least <= KAPPAS]  # below `least` scipy's scaled I_nu underflows

    def closed(kappa):
        at = law(d, kappa)
        return at.resultant(), at.entropy(), at.log_density(at.mean)

    got = jax.jit(jax.vmap(closed))(kappas)
    kappa = np.asarray(kappas)
    resultant = ive(d / 2, kappa) / ive(d / 2 - 1, kappa)
    # Rounding of exponents of size kappa and d log d, which log Z sums; scipy's own is alike.
    rounding = 1e-13 * (10 + d + np.abs(log_z(d, kappa)))
    np.testing.assert_allclose(got[0], resultant, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(-got[2], log_z(d, kappa), atol=rounding.max(), rtol=0)
    entropy = log_z(d, kappa) + kappa * (1 - resultant)
    # 1 - resultant is known to 1e-15 from Bessel functions, and kappa multiplies it.
    np.testing.assert_allclose(got[1], entropy, atol=(rounding + 1e-14 * kappa).max(), rtol=0)


def test_closed_forms_on_s2():
    kappa = KAPPAS[2:]
    got = jax.jit(jax.vmap(lambda k: (law(3, k).resultant(), law(3, k).entropy())))(kappa)
    # Z e^kappa = sinh(kappa) / kappa, written so that it does not overflow.
    kappa = np.asarray(kappa)
    log_sinh = kappa + np.log(-np.expm1(-2 * kappa)) - np.log(2.0)
    resultant = 1 / np.tanh(kappa) - 1 / kappa
    np.testing.assert_allclose(got[0], resultant, rtol=1e-13)
    closed = log_sinh - np.log(kappa) - kappa * resultant
    np.testing.assert_allclose(got[1], closed, atol=1e-14 * 1e4)  # kappa - kappa resultant cancels


@pytest.mark.parametrize("d", [2, 1000])
def test_no_concentration_is_uniform_and_smooth(d):
    def entropy(kappa):
        return law(d, kappa).entropy()

    @jax.jit
    def at_zero():
        return (
            entropy(0.0),
            law(d, 0.0).log_density(jnp.eye(d)[0]),
            jax.jacfwd(jax.grad(entropy))(0.0),
        )

    value, log_density, bend = at_zero()
    assert float(value) == 0 and float(log_density) == 0
    np.testing.assert_allclose(bend, -1 / d, rtol=1e-10)  # entropy = -kappa^2 / 2d + O(kappa^4)


@pytest.mark.parametrize("d", [2, 300])
def test_density_integrates_to_one_and_yields_the_entropy(d):
    # Gauss-Legendre in the polar angle, with weight sin^{d-2}; kappa and d keep the peak resolved.
    node, weight = np.polynomial.legendre.leggauss(400)
    theta = np.pi / 2 * (node + 1)
    polar = weight * np.sin(theta) ** (d - 2)
    x = np.zeros((400, d))
    x[:, 0], x[:, 1] = np.cos(theta), np.sin(theta)
    measure = VonMisesFisher(jnp.eye(d)[0], 60.0)
    log_density, entropy = map(
        np.asarray, jax.jit(lambda x: (measure.log_density(x), measure.entropy()))(x)
    )
    share = polar / polar.sum() * np.exp(log_density)
    np.testing.assert_allclose(share.sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(-(share * log_density).sum(), entropy, rtol=1e-11)


@pytest.mark.parametrize("d", [2, 3, pytest.param(1000, marks=pytest.mark.slow)])
def test_samples_have_the_moments_of_the_law(d, getkey):
    n, rng = 2000, np.random.default_rng(d)
    mean, other = np.linalg.qr(rng.normal(size=(d, 2)))[0].T  # two orthonormal directions

    @jax.jit
    def draw(kappa, key):
        def resultant(k):
            return VonMisesFisher(jnp.asarray(mean), k).resultant()

        x = VonMisesFisher(jnp.asarray(mean), kappa).sample(key, n)
        return x, *jax.value_and_grad(resultant)(kappa)

    for kappa in (0.0, 2.0, 1e4):
        x, resultant, variance = map(np.asarray, draw(kappa, getkey()))
        np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-12)
        # log Z is the cumulant function of t = <mean, x>: E t = A(kappa) and var t = A'(kappa).
        t = x @ mean
        assert abs(t.mean() - resultant) < 4 * np.sqrt(variance / n)
        # Across the mean the law is symmetric: a coordinate has mean 0, variance E(1-t^2)/(d-1).
        side = np.mean(1 - t**2) / (d - 1)
        assert abs((x @ other).mean()) < 4 * np.sqrt(side / n)
        # Its kurtosis is 3d/(d+2) for the uniform law and 3 in the normal limit of large kappa, so
        # that its square has variance 2 side^2 at most.
        assert abs(((x @ other) ** 2).mean() - side) < 4 * side * np.sqrt(2 / n)


def test_the_law_of_the_polar_angle_by_kolmogorov_smirnov(getkey):
    # On S^2 the gap is an exponential law of rate kappa, cut at 2: its distribution is closed.
    n, kappa = 100_000, 1.5
    x = jax.jit(lambda key: law(3, kappa).sample(key, n))(getkey())
    gap = np.sort(1 - np.asarray(x[:, 2]))
    cdf = np.expm1(-kappa * gap) / np.expm1(-2 * kappa)
    distance = np.abs(cdf - (np.arange(n) + 0.5) / n).max() + 0.5 / n
    assert distance < 1.95 / np.sqrt(n)  # exceeded with probability 2 e^{-2 * 1.95^2} = .001


def test_rotation_equivariance():
    d = 5
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(d, d)))[0]
    x, mean = np.random.default_rng(1).normal(size=(7, d)), np.eye(d)[0]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    density = jax.jit(lambda mean, x: VonMisesFisher(mean, 8.0).log_density(x))
    here, there = density(mean, x), density(turn @ mean, x @ turn.T)
    np.testing.assert_allclose(here, there, atol=1e-13)  # kappa times rounding of a unit vector


def test_single_precision_stays_single(getkey):
    def all_of(mean, key):
        measure = VonMisesFisher(mean, 50.0)
        x = measure.sample(key, 8)
        return x, measure.log_density(x), measure.entropy()

    shapes = jax.eval_shape(all_of, jnp.eye(16, dtype=jnp.float32)[0], getkey())
    assert {a.dtype for a in shapes} == {jnp.dtype("float32")}
    # Exponents here are of size d log d + kappa, about 100, so 1e-5 is their rounding.
    entropy = jax.jit(lambda mean: VonMisesFisher(mean, 50.0).entropy())
    single, double = entropy(np.eye(16, dtype=np.float32)[0]), entropy(np.eye(16)[0])
    np.testing.assert_allclose(single, double, atol=3e-5)


def test_derivatives_that_exist_and_the_one_that_does_not(getkey):
    key = getkey()
    x = np.random.default_rng(1).normal(size=(50, 3))
    x = jnp.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))
    score = jax.jit(jax.grad(lambda k: law(3, k).log_density(x).sum()))(2.0)
    resultant = 1 / np.tanh(2.0) - 1 / 2.0
    np.testing.assert_allclose(score, (x[:, 2] - resultant).sum(), rtol=1e-10)
    pathwise = jax.jit(jax.grad(lambda m: VonMisesFisher(m, 2.0).sample(key, 3).sum()))(
        jnp.eye(3)[0]
    )
    assert jnp.isfinite(pathwise).all()
    with pytest.raises(ValueError, match=r"no derivative of VonMisesFisher.sample in kappa"):
        jax.jvp(lambda k: law(3, k).sample(key, 3), (2.0,), (1.0,))


def test_a_rejection_that_cannot_end_is_nan(getkey):
    """A concentration that turns out to be NaN in a compiled program gives NaN, not an endless loop."""
    draw = jax.jit(lambda kappa: VonMisesFisher(jnp.eye(3)[0], kappa).sample(getkey(), 4))
    assert jnp.isnan(draw(jnp.nan)).all()
