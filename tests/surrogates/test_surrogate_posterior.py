"""Laws of parameters given data, against closed forms."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from editing import plain, solved
from refusals import check_refused
from scipy import stats

from meanfield.surrogates.fits import unknowns_of
from meanfield.surrogates.fits._posterior import _contraction, _log_prior, _with_slopes

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
    assert found.converged and found.divergences == 0 and (many > 400).all()
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


@pytest.mark.slow
def test_what_nothing_determines_is_held_by_its_bounds_alone(tmp_path):
    """Of E1 one run knows kappa and H_min - gamma S/kappa, and no share of it."""
    pytest.importorskip("blackjax", reason=NEEDED)
    ls = np.arange(21.0)
    data = {"l": ls, "y_H": -0.5 + 5.5 * np.exp(-0.1 * ls)}
    found = solved(tmp_path, "E1").posterior(data, jax.random.key(0), draws=500, warmup=500)
    assert found.contraction["kappa"] > 0.99
    # gamma has its bounds of 0 and 1 and H_min what follows, five times as wide: S/kappa is 5
    assert not found.converged or found.contraction["gamma"] < 0.9
    draws = found.draws
    floor = draws.H_min - 0.5 * draws.gamma / draws.kappa
    assert float(draws.H_min.std()) > 5 * float(floor.std())


def test_even_laws_between_bounds(tmp_path):
    """Where a parameter is even between its bounds, or its logarithm, the free number has the density of
    that law times the derivative of the map."""
    unknowns = unknowns_of(solved(tmp_path, "E1").model)  # kappa on a log scale, from .001 to 2
    z = jnp.array([0.3, -1.2, 2.0])
    slopes = jnp.diag(jax.jacfwd(unknowns.natural)(z))
    kappa = unknowns.natural(z)[0]
    densities = jnp.array([1 / (kappa * np.log(2000)), 0.1, 1.0])
    assert _log_prior(unknowns, z) == pytest.approx(
        float(jnp.log(densities * slopes).sum()), rel=1e-12
    )
    free = unknowns_of(plain(tmp_path, "a + b*t", {"a": 1.0, "b": (0.5, [0, 2])}).model)
    assert _log_prior(free, jnp.array([7.0, 0.4])) == pytest.approx(
        stats.logistic.logpdf(0.4), rel=1e-12
    )


def test_gradients_are_those_of_the_function():
    def f(z):
        return jnp.sin(z[0]) * z[1] ** 3 + z[2]

    z = jnp.array([0.4, 1.5, -2.0])
    value, slope = jax.value_and_grad(_with_slopes(f))(z)
    assert value == f(z)
    np.testing.assert_allclose(slope, jax.grad(f)(z), rtol=1e-14)


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
    check_refused(lambda: model.posterior(LINE, key, acceptance=1.0), "acceptance=0.8")
    check_refused(lambda: model.posterior(LINE, 3), "jax.random.key")
    monkeypatch.setitem(sys.modules, "blackjax", None)
    check_refused(lambda: model.posterior(LINE, key), "meanfield-jax[posterior]")
