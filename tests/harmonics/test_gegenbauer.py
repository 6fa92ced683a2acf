import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.special import eval_gegenbauer, eval_legendre

from meanfield.harmonics import Gegenbauer


def table(basis, t):
    return jax.vmap(lambda c: basis.evaluate(c, t))(jnp.eye(basis.size))


def multiplicity(d, k):
    """N(d, k), by the difference of two binomials in exact integers."""
    from math import comb

    return comb(k + d - 1, d - 1) - (comb(k + d - 3, d - 1) if k > 1 else 0)


def test_special_cases_are_chebyshev_legendre_and_gegenbauer():
    t = jnp.linspace(-1.0, 1.0, 21)
    chebyshev, legendre, general = (table(Gegenbauer(d, 12), t) for d in (2, 3, 8))
    for k in range(1, 13):
        np.testing.assert_allclose(chebyshev[k], np.sqrt(2) * np.cos(k * np.arccos(t)), atol=1e-13)
        np.testing.assert_allclose(
            legendre[k], np.sqrt(2 * k + 1) * eval_legendre(k, t), atol=1e-13
        )
        n = multiplicity(8, k)
        expected = np.sqrt(n) * eval_gegenbauer(k, 3.0, t) / eval_gegenbauer(k, 3.0, 1.0)
        np.testing.assert_allclose(general[k], expected, atol=1e-13 * np.sqrt(n))


@pytest.mark.parametrize(
    ("d", "degree"),
    [
        (2, 256),
        pytest.param(3, 256, marks=pytest.mark.slow),
        pytest.param(64, 64, marks=pytest.mark.slow),
        pytest.param(384, 64, marks=pytest.mark.slow),
        (1024, 256),
        pytest.param(1024, 512, marks=pytest.mark.slow),
    ],
)
def test_orthonormal_at_large_dimension_and_degree(d, degree):
    # Entries of sqrt(w) p are at most 1, and each is known to an ulp or two.
    basis = Gegenbauer(d, degree)
    eye = jnp.eye(basis.size)
    np.testing.assert_allclose(basis.analyze(basis.synthesize(eye)), eye, atol=1e-13)


@pytest.mark.parametrize("d", [3, 384, 1024])
def test_the_value_at_the_pole_is_the_root_of_the_multiplicity(d):
    values = table(Gegenbauer(d, 24), jnp.ones(1))[:, 0]
    exact = np.array([float(multiplicity(d, k)) ** 0.5 for k in range(25)])
    # At t = 1 each step of the recurrence adds a few roundings: 24 steps.
    np.testing.assert_allclose(values, exact, rtol=1e-13)


def test_quadrature_keeps_relative_accuracy_where_the_weights_are_tiny():
    # int e^{beta t} w dt = 0F1(d/2; beta^2/4) = sum_j (beta/2)^{2j} / (j! (d/2)_j), at d = 384 and
    # beta = 200, where weights from eigenvectors are wrong by twenty orders of magnitude.
    d, beta = 384, 200.0
    j = np.arange(1, 400)
    exact = 1 + np.cumprod((beta / 2) ** 2 / (j * (d / 2 + j - 1))).sum()
    basis = Gegenbauer(d, 64)
    assert float(basis.analyze(jnp.exp(beta * basis.nodes))[0]) == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("t", [0.05, 0.3])
def test_heat_kernel_on_the_three_sphere(t):
    basis = Gegenbauer(4, 32)
    density = basis.synthesize(basis.heat(basis.moments(jnp.ones(1)), t))
    angle = np.arccos(np.asarray(basis.nodes))[:, None]
    turns = angle + 2 * np.pi * np.arange(-6, 7)
    gauss = turns / np.sin(angle) * np.exp(-(turns**2) / (4 * t))
    exact = 2 * np.pi**2 * np.exp(t) * (4 * np.pi * t) ** -1.5 * gauss.sum(1)
    # The degrees left out carry at most (k + 1)^2 e^{-k(k + 2) t} = 3e-21 at k = 33.
    np.testing.assert_allclose(density, exact, atol=1e-13 * float(exact.max()))


def test_divergence_of_a_product_written_out():
    # d = 5: Lap f = (1 - t^2) f'' - 4 t f', and div(rho grad phi) = rho Lap phi + (1-t^2) rho' phi'
    # for rho = 1 + t^3, phi = t^2.
    basis = Gegenbauer(5, 8)
    t = basis.nodes
    got = basis.synthesize(basis.divergence(basis.analyze(1 + t**3), basis.analyze(t**2)))
    laplacian = 2 * (1 - t**2) - 8 * t**2
    expected = (1 + t**3) * laplacian + (1 - t**2) * 3 * t**2 * 2 * t
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_a_range_that_the_dtype_lacks_is_refused():
    with pytest.raises(ValueError, match="pass float64 arrays, or lower the degree"):
        Gegenbauer(1024, 128).synthesize(jnp.ones(129, jnp.float32))


def test_bad_arguments_are_refused():
    check_refused(lambda: Gegenbauer(1, 4), "integer >= 2")
    check_refused(lambda: Gegenbauer(3, 4).moments(jnp.ones((4, 3))), "points @ axis")
