"""The conformal orbit of the uniform law, against quadrature and the wrapped Cauchy law."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.harmonics import Gegenbauer
from meanfield.measures import MoebiusOrbit


@eqx.filter_jit
def at_nodes(law, basis):
    """The density at points with the polar cosines of the basis."""
    t = basis.nodes
    across = law.geometry.project(law.geometry.to_tangent(law.mean, jnp.eye(law.d)[1]))
    points = t[:, None] * law.mean + jnp.sqrt(1 - t**2)[:, None] * across
    return jnp.exp(law.log_density(points))


@pytest.mark.parametrize("d", [2, 3, 8])
def test_density_is_a_probability_and_the_entropy_its_integral(d):
    # Harmonics of degree k decay like .6^k k^{d-2}: 193 Gauss points leave nothing.
    basis, law = Gegenbauer(d, 128), MoebiusOrbit(d, 0.6)
    rho, weights = np.asarray(at_nodes(law, basis)), np.asarray(basis.weights)
    assert float(weights @ rho) == pytest.approx(1, abs=1e-13)
    expected = -float(weights @ (rho * np.log(rho)))
    assert float(law.entropy()) == pytest.approx(expected, rel=1e-12)


def test_closed_forms_of_the_entropy():
    for r in (0.0, 1e-5, 0.5, 0.99, 0.9999, 0.999999, 1 - 1e-12):
        # On the circle log|u + r|^2 is harmonic; on S^3 its mean is r^2 / 2.
        circle = np.log1p(-(r**2)) if r < 0.9 else np.log((1 - r) * (1 + r))
        ball = 3 * (circle - r**2 / 2)
        np.testing.assert_allclose(MoebiusOrbit(2, r).entropy(), circle, rtol=1e-13)
        np.testing.assert_allclose(MoebiusOrbit(4, r).entropy(), ball, rtol=1e-13)
    # On S^2 the mean is ((1 + r)^2 log(1 + r)^2 - (1 - r)^2 log(1 - r)^2) / 4r - 1, r^2/3 for small r.
    for r in (0.5, 0.99, 0.9999, 0.999999, 1 - 1e-12):
        ends = (1 + r) ** 2 * np.log(1 + r) - (1 - r) ** 2 * np.log(1 - r)
        mean = ends / (2 * r) - 1
        exact = 2 * (np.log((1 - r) * (1 + r)) - mean)
        np.testing.assert_allclose(MoebiusOrbit(3, r).entropy(), exact, rtol=1e-13)
    np.testing.assert_allclose(MoebiusOrbit(3, 1e-5).entropy(), -8e-10 / 3, rtol=1e-9)


def test_samples_have_the_law(getkey):
    d, n = 5, 20_000
    mean = jnp.array([0.0, 0.6, 0.8, 0.0, 0.0])
    law, basis = MoebiusOrbit(d, 0.5, mean), Gegenbauer(d, 64)

    @jax.jit
    def draw(key):
        x = law.sample(key, n)
        return x, -law.log_density(x)

    x, surprise = map(np.asarray, draw(getkey()))
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-14)
    drift = np.asarray(basis.weights) @ (np.asarray(basis.nodes) * at_nodes(law, basis))
    assert np.abs(x.mean(0) - drift * np.asarray(mean)).max() < 4 / np.sqrt(n)
    error = surprise.std() / np.sqrt(n)
    assert abs(surprise.mean() - float(law.entropy())) < 4 * error


def test_on_the_circle_it_is_the_wrapped_cauchy_law():
    # Its Fourier coefficients are r^k: a Gegenbauer coefficient sqrt2 r^k.
    basis = Gegenbauer(2, 64)
    c = basis.analyze(at_nodes(MoebiusOrbit(2, 0.5), basis))
    np.testing.assert_allclose(c[1:20], np.sqrt(2) * 0.5 ** np.arange(1, 20), atol=1e-14)


def test_traced_and_differentiable_in_r():
    slope = jax.jit(jax.grad(lambda r: MoebiusOrbit(2, r).entropy()))(0.5)
    assert float(slope) == pytest.approx(-2 * 0.5 / (1 - 0.25), rel=1e-13)


def test_float32_in_gives_float32_out(getkey):
    law = MoebiusOrbit(3, jnp.float32(0.5))

    def all_of(key):
        x = law.sample(key, 8)
        return x, law.log_density(x), law.entropy()

    assert {a.dtype for a in jax.eval_shape(all_of, getkey())} == {np.dtype("float32")}


def test_bad_arguments_are_refused():
    check_refused(lambda: MoebiusOrbit(3, 1.0), "r < 1")
    check_refused(lambda: MoebiusOrbit(3, -0.5), "r >= 0")
    check_refused(lambda: MoebiusOrbit(3, 0.5, jnp.ones(3)), "unit vector")
    check_refused(lambda: MoebiusOrbit(3, 0.5, jnp.ones(2)), "mean of shape [3]")
