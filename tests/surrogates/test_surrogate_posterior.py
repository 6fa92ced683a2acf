"""Laws of parameters given data, against closed forms."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from editing import plain, solved
from refusals import check_refused

from meanfield.surrogates.fits import unknowns_of, with_slopes
from meanfield.surrogates.fits._posterior import _contraction
from meanfield.surrogates.fits._residuals import forwards
from meanfield.surrogates.fits._slices import Axes, _added, _pooled, _Sums

NEEDED = "needs blackjax: pip install 'meanfield-jax[posterior]'"
TS = np.linspace(0.0, 1.0, 12)
LINE = {"t": TS, "z": 1 + 0.5 * TS + 0.1 * np.random.default_rng(0).normal(size=12)}


def test_the_law_of_a_line_is_normal(tmp_path):
    """y = a + b t with noise s and flat priors: normal about least squares, of covariance s^2 (X^T X)^-1."""
    pytest.importorskip("blackjax", reason=NEEDED)
    model = plain(tmp_path, "a + b*t", {"a": 1.0, "b": 0.2})
    found = model.posterior(LINE, jax.random.key(0), warmup=500)
    design = np.stack([np.ones(12), TS], axis=1)
    cov = 0.01 * np.linalg.inv(design.T @ design)
    best = np.linalg.lstsq(design, LINE["z"])[0]
    drawn = np.stack([found.draws[name].values.ravel() for name in "ab"])
    many = np.array([found.ess[name] for name in "ab"])
    assert found.converged and (many > 400).all()
    # standard errors: of a mean sigma/sqrt(ess), of an entry of a covariance sqrt((C_ii C_jj + C_ij^2)/ess)
    sizes = np.sqrt(np.diag(cov))
    assert (np.abs(drawn.mean(axis=1) - best) < 4 * sizes / np.sqrt(many)).all()
    error = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / many.min())
    assert (np.abs(np.cov(drawn) - cov) < 4 * error).all()
    residual = LINE["z"][:, None] - design @ drawn
    np.testing.assert_allclose(
        found.draws.log_likelihood.values.ravel(),
        -0.5 * np.sum((residual / 0.1) ** 2, axis=0),
        rtol=1e-9,
    )
    assert np.isnan(found.contraction["a"])
    low, high = found.intervals["b"]
    # the density at an end of 95 % is .0584/sigma: an error of sqrt(.025 .975/ess)/.0584 of it
    wide = 4 * np.sqrt(0.025 * 0.975 / many[1]) / 0.0584 * sizes[1]
    assert abs(low - best[1] + 1.96 * sizes[1]) < wide > abs(high - best[1] - 1.96 * sizes[1])


def test_what_nothing_determines_is_even_between_its_bounds(tmp_path):
    """Of E1 one run knows kappa and H_min - gamma S/kappa, which is so far from the bounds of H_min that
    gamma is even between 0 and 1, with a deviation of 12^(-1/2)."""
    pytest.importorskip("blackjax", reason=NEEDED)
    ls = np.arange(21.0)
    data = {"l": ls, "y_H": -0.5 + 5.5 * np.exp(-0.1 * ls)}
    found = solved(tmp_path, "E1").posterior(data, jax.random.key(1), warmup=300)
    assert found.converged and found.contraction["kappa"] > 0.99
    error = 4 / np.sqrt(12 * found.ess["gamma"])  # of a mean; that of a deviation is a half of it
    assert abs(found.means["gamma"] - 0.5) < error
    assert abs(found.deviations["gamma"] - 12**-0.5) < error
    draws = found.draws
    floor = draws.H_min - 0.5 * draws.gamma / draws.kappa
    # and five times as wide in H_min: S/kappa is 5
    assert float(draws.H_min.std()) == pytest.approx(5 * float(draws.gamma.std()), rel=0.1)
    assert abs(float(floor.mean()) + 0.5) < 4 * float(floor.std())
    assert float(draws.H_min.std()) > 20 * float(floor.std())


def test_places_are_shares_of_bounds(tmp_path):
    """Of bounds, or of those of logarithms; without bounds parameters are measured by their sizes."""
    unknowns = unknowns_of(solved(tmp_path, "E1").model)  # kappa on a log scale, from .001 to 2
    theta = np.array([0.1, -2.5, 0.3])
    axes = Axes.of(unknowns, theta)
    places = axes.places(theta)
    np.testing.assert_allclose(places, [np.log(100) / np.log(2000), 0.25, 0.3], rtol=1e-12)
    np.testing.assert_allclose(axes.natural(jnp.asarray(places)), theta, rtol=1e-12)
    assert axes.inside(jnp.asarray(places)) and not axes.inside(jnp.array([0.5, 0.5, 1.01]))
    np.testing.assert_allclose(axes.natural(jnp.array([0.5, 2.0, -1.0]))[1:], [5.0, 0.0])
    plain_one = unknowns_of(plain(tmp_path, "a + b*t", {"a": -3.0, "b": (0.5, [0, 2])}).model)
    axes = Axes.of(plain_one, np.array([-3.0, 0.5]))
    np.testing.assert_allclose(axes.places(np.array([6.0, 0.5])), [2.0, 0.25])
    np.testing.assert_allclose(axes.natural(jnp.array([2.0, 0.25])), [6.0, 0.5])


def test_the_first_covariance_is_that_of_the_curvature(tmp_path):
    """(J^T J + 12)^-1 in shares: a residual theta/s gives s^2 where bounds are far, and none 1/12."""
    unknowns = unknowns_of(solved(tmp_path, "E1").model)
    theta = np.array([0.1, -2.5, 0.3])
    slopes = np.array([[1 / 1e-4, 0.0, 0.0], [0.0, 1 / 0.02, 0.0]])
    found = Axes.of(unknowns, theta).covariance(theta, slopes)
    shares = np.array([1e-4 / 0.1 / np.log(2000), 0.02 / 10])
    expected = 1 / (1 / np.append(shares, np.inf) ** 2 + 12)
    np.testing.assert_allclose(found, np.diag(expected), rtol=1e-9, atol=1e-15)


def test_covariances_are_pooled_over_chains():
    places = np.random.default_rng(0).normal(size=(5, 4, 2))
    sums = _Sums(jnp.asarray(0.0), jnp.zeros(2), jnp.zeros((2, 2)))
    for each in places:
        sums = _added(sums, jnp.asarray(each))
    exact = np.cov(places.reshape(-1, 2).T, ddof=0)
    np.testing.assert_allclose(
        _pooled(sums, jnp.eye(2)), (20 * exact + 10 * np.eye(2)) / 30, rtol=1e-12
    )


def test_derivatives_are_those_of_the_function():
    def f(z):
        return jnp.stack([jnp.sin(z[0]) * z[1] ** 3 + z[2], z[1] * z[2]])

    z = jnp.array([0.4, 1.5, -2.0])
    exact = jax.jacfwd(f)(z)
    value, slopes = with_slopes(f, z)
    np.testing.assert_allclose(value, f(z), rtol=1e-14)
    np.testing.assert_allclose(slopes, exact, rtol=1e-14)
    np.testing.assert_allclose(jax.jacfwd(forwards(f, z))(2 * z / 2), exact, rtol=1e-14)


def test_contraction_is_the_share_of_the_variance_of_the_prior_that_is_gone(tmp_path):
    unknowns = unknowns_of(solved(tmp_path, "E1").model)
    grid = np.linspace(0.25, 0.75, 100_001)[None, :, None]
    ends = np.array([np.log(1e-3), -5.0, 0.0]), np.array([np.log(2.0), 5.0, 1.0])
    drawn = ends[0] + (ends[1] - ends[0]) * grid
    drawn[..., 0] = np.exp(drawn[..., 0])
    # half as wide, a quarter of the variance
    np.testing.assert_allclose(_contraction(unknowns, drawn), 0.75, atol=1e-4)


def test_what_has_no_posterior_is_refused(tmp_path, monkeypatch):
    model, key = plain(tmp_path, "a + b*t", {"a": 1.0, "b": 0.2}), jax.random.key(0)
    check_refused(lambda: model.posterior(LINE, key, chains=1), "chains")
    check_refused(lambda: model.posterior(LINE, 3), "jax.random.key")
    monkeypatch.setitem(sys.modules, "blackjax", None)
    check_refused(lambda: model.posterior(LINE, key), "meanfield-jax[posterior]")
