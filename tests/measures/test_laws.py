"""Uniform, Gaussian and mixture laws against closed forms; what each law refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.geometry import Sphere
from meanfield.measures import Gaussian, Mixture, Uniform, VonMisesFisher, particles

COV = jnp.array([[2.0, 0.6], [0.6, 0.5]])
MEAN = jnp.array([1.0, -2.0])


@jax.jit
def entropy_of_two(kappa, cosine):
    """Two equal caps on S^2 whose means have the inner product `cosine`, and one of them."""
    mean = jnp.array([cosine, jnp.sqrt(1 - cosine**2), 0.0])
    laws = [VonMisesFisher(jnp.eye(3)[0], kappa), VonMisesFisher(mean, kappa)]
    return Mixture(laws, jnp.array([0.5, 0.5])).entropy(64), laws[0].entropy()


def test_uniform_is_the_reference(getkey):
    law, n = Uniform(4), 4000
    x = law.sample(getkey(), n)
    assert law.d == 4 and float(law.entropy()) == 0 and not law.log_density(x).any()
    # E x x^T = I/d, and var x_1^2 = 2(d-1) / (d^2 (d+2)) = 1/16 for d = 4.
    moment = x.T @ x / n
    assert np.abs(np.diag(moment) - 1 / 4).max() < 4 * np.sqrt(1 / 16 / n)


def test_gaussian_moments_and_entropy(getkey):
    law, n = Gaussian(MEAN, COV), 4000
    x = law.sample(getkey(), n)
    assert (np.abs(x.mean(0) - MEAN) < 4 * np.sqrt(np.diag(COV) / n)).all()
    spread = np.sqrt((np.outer(np.diag(COV), np.diag(COV)) + np.asarray(COV) ** 2) / n)
    assert (np.abs(np.cov(x.T) - COV) < 4 * spread).all()  # var of a sample covariance (Isserlis)
    np.testing.assert_allclose(
        law.entropy(), np.log(2 * np.pi * np.e) + np.log(0.64) / 2, rtol=1e-14
    )
    # -log density has mean entropy and variance d/2 = 1.
    assert abs(-law.log_density(x).mean() - law.entropy()) < 4 / np.sqrt(n)


def test_gaussian_density_integrates_to_one():
    side = np.linspace(-12.0, 12.0, 161)
    grid = np.stack(np.meshgrid(side, side), axis=-1) + np.asarray(MEAN)
    log_density = jax.jit(lambda x: Gaussian(MEAN, COV).log_density(x))(grid)
    # The trapezoid rule is exact to rounding for a smooth function that decays within the box.
    total = np.exp(log_density).sum() * (side[1] - side[0]) ** 2
    np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_mixture_entropy_between_one_law_and_two():
    # One law twice over: the label tells nothing and the estimate has no noise.
    both, single = entropy_of_two(50.0, 1.0)
    np.testing.assert_allclose(both, single, atol=1e-13)
    # Opposite caps at kappa = 50 overlap by less than e^-50: the label adds log 2 exactly.
    both, single = entropy_of_two(50.0, -1.0)
    np.testing.assert_allclose(both, single + np.log(2), atol=1e-13)


def test_mixture_entropy_against_quadrature_on_the_circle(getkey):
    mean = jnp.array([np.cos(2.0), np.sin(2.0)])
    laws = [VonMisesFisher(jnp.eye(2)[0], 3.0), VonMisesFisher(mean, 8.0)]
    law = Mixture(laws, jnp.array([0.7, 0.3]))
    theta = np.arange(512.0) * (2 * np.pi / 512)  # exact to rounding for a smooth periodic function
    points = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    log_density = np.asarray(jax.jit(lambda law, x: law.log_density(x))(law, points))
    density = np.exp(log_density)
    np.testing.assert_allclose(density.mean(), 1, rtol=1e-13)
    bound = (1 + np.log(1 / 0.3)) / np.sqrt(4096)  # the documented standard error
    estimate = jax.jit(lambda law, key: law.entropy(key=key))
    assert abs(estimate(law, getkey()) + (density * log_density).mean()) < 3 * bound


def test_mixture_samples_each_law_by_its_weight(getkey):
    laws = [Gaussian(jnp.full(2, m), jnp.eye(2)) for m in (-20.0, 0.0, 20.0)]
    weights = np.array([0.2, 0.0, 0.8])
    law = Mixture(laws, jnp.asarray(weights))
    x = np.asarray(jax.jit(lambda key: law.sample(key, 2000))(getkey()))
    share = np.bincount(np.digitize(x[:, 0], [-10, 10]), minlength=3) / 2000
    assert (np.abs(share - weights) <= 4 * np.sqrt(weights * (1 - weights) / 2000)).all()


def test_single_precision_stays_single(getkey):
    gauss = Gaussian(MEAN.astype(jnp.float32), COV.astype(jnp.float32))
    law = Mixture([gauss, gauss], jnp.array([0.5, 0.5], jnp.float32))

    def all_of(key):
        x = law.sample(key, 4)
        return x, law.log_density(x), law.entropy(64), Uniform(2).log_density(x)

    assert {a.dtype for a in jax.eval_shape(all_of, getkey())} == {jnp.dtype("float32")}


def test_laws_are_pytrees_that_pass_through_jit_and_vmap():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)))
    density = jax.jit(lambda law: law.log_density(x))
    many = jax.jit(jax.vmap(lambda s: Gaussian(MEAN, s * COV)))(np.array([1.0, 2.0]))
    got = jax.jit(jax.vmap(density))(many)
    np.testing.assert_allclose(got[1], density(Gaussian(MEAN, 2 * COV)), rtol=1e-12)


def test_particles_are_handed_on_unchanged(getkey):
    x = Sphere(3).sample(getkey(), 4)
    assert (particles(x, Sphere(3)) == x).all()


BAD = {
    "dimension": (lambda: Uniform(1), "integer >= 2"),
    "mean off the sphere": (lambda: VonMisesFisher(jnp.ones(3), 1.0), "unit vector"),
    "negative kappa": (lambda: VonMisesFisher(jnp.eye(3)[0], -1.0), "kappa >= 0"),
    "infinite kappa": (lambda: VonMisesFisher(jnp.eye(3)[0], jnp.inf), "finite"),
    "cov shape": (lambda: Gaussian(MEAN, jnp.eye(3)), "shape [2, 2]"),
    "skew cov": (lambda: Gaussian(MEAN, jnp.array([[1.0, 0.5], [0.0, 1.0]])), "symmetric"),
    "flat cov": (lambda: Gaussian(MEAN, jnp.zeros((2, 2))), "positive definite"),
    "no law": (lambda: Mixture([], jnp.ones(0)), "at least one law"),
    "two spheres": (lambda: Mixture([Uniform(2), Uniform(3)], jnp.full(2, 0.5)), "one geometry"),
    "weights": (lambda: Mixture([Uniform(2), Uniform(2)], jnp.ones(2)), "sum 1"),
    "weights shape": (lambda: Mixture([Uniform(2)], jnp.full(2, 0.5)), "shape"),
    "off the sphere": (lambda: particles(jnp.ones((2, 3)), Sphere(3)), "project"),
    "wrong width": (lambda: particles(jnp.eye(2), Sphere(3)), "shape [n, 3]"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses(name):
    check_refused(*BAD[name])
