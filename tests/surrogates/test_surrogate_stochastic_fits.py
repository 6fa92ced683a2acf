"""Fits of equations with noise and of fields: exact maximum likelihood, and a spread that is recovered."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from editing import edited, plain
from refusals import check_refused
from scipy import stats

from meanfield import surrogates
from meanfield.surrogates.fits import log_likelihood

GAP, COUNT = 0.5, 120


def wandering(tmp_path, size: float = 1e-7):
    """Ornstein and Uhlenbeck's process dx = theta (mu - x) dt + s dB, measured nearly without error."""
    names = {"theta": 0.8, "mu": 0.5, "s": 0.6}
    return plain(
        tmp_path,
        "",
        {n: (v, [0.01, 5.0]) for n, v in names.items()},
        model_class="SDE",
        independent={"symbol": "t", "units": "", "stop": 60.0, "points": 121},
        variables=[
            {"symbol": "x", "role": "state", "units": ""},
            *({"symbol": n, "role": "parameter", "units": "", "value": v} for n, v in names.items()),
        ],
        equations=[{"id": "E", "lhs": "dx/dt", "rhs": "theta*(mu - x)", "noise": "s",
                    "mechanism_link": "", "novelty_tag": "baseline"}],
        initial_conditions=[{"symbol": "x", "value": 2.0}],
        measurements=[{"symbol": "z", "expression": "x", "units": "", "noise": {"size": size}}],
        method={"step": 0.025},
    )  # fmt: skip


def path_of(seed: int) -> np.ndarray:
    """A path from 2 with theta = 1, mu = 1, s = 1/2, drawn from its exact law."""
    rng, x = np.random.default_rng(seed), [2.0]
    keep = np.exp(-GAP)
    for _ in range(COUNT):
        x.append(1 + (x[-1] - 1) * keep + np.sqrt(0.125 * (1 - keep**2)) * rng.normal())
    return np.array(x)


X = path_of(3)
DATA = {"t": GAP * np.arange(1, COUNT + 1), "z": X[1:]}


def exact(p):
    """Minus the logarithm of the likelihood of the path: transitions of exact mean and variance."""
    theta, mu, s = p
    keep = jnp.exp(-theta * GAP)
    mean, variance = mu + (X[:-1] - mu) * keep, s**2 * (1 - keep**2) / (2 * theta)
    return jnp.sum((X[1:] - mean) ** 2 / variance + jnp.log(2 * jnp.pi * variance)) / 2


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return wandering(tmp_path_factory.mktemp("wandering"))


def test_the_likelihood_of_a_linear_equation_is_exact(model):
    values = {"theta": 0.7, "mu": 0.4, "s": 0.6}
    found = log_likelihood(model.model, values, DATA)
    # Runge-Kutta steps of h = 1/40: (2 theta h)^5/120 = 1e-9 a step; the error of measurement: 1e-14/s^2
    assert found.sum() == pytest.approx(-float(exact(list(values.values()))), rel=1e-6)
    assert found.shape == (COUNT,)


def test_a_fit_is_the_exact_maximum_of_the_likelihood(model):
    """Of a regression of each value on the one before it, in closed form."""
    found = model.fit(DATA, starts=1)
    keep, shift = np.polyfit(X[:-1], X[1:], 1)
    theta, mu = -np.log(keep) / GAP, shift / (1 - keep)
    rest = X[1:] - keep * X[:-1] - shift
    s = np.sqrt((rest**2).mean() * 2 * theta / (1 - keep**2))
    # the search ends at 1e-9 of the likelihood: 3e-5 standard errors
    np.testing.assert_allclose([*found.values.values()], [theta, mu, s], rtol=2e-5)
    bend = jax.jit(jax.hessian(exact))(jnp.array([theta, mu, s]))
    errors = np.sqrt(np.diag(np.linalg.inv(bend)))
    np.testing.assert_allclose([*found.errors.values()], errors, rtol=1e-3)
    assert found.converged and found.rank == 3 and found.chi2 == pytest.approx(COUNT, rel=1e-4)
    assert found.log_likelihood == pytest.approx(-float(exact([theta, mu, s])), abs=1e-5)


def test_errors_of_measurements_are_filtered(tmp_path):
    """With an error of .3 all is one normal law: mean and covariance of the path, and the error's square."""
    noisy = wandering(tmp_path, 0.3)
    values = {"theta": 1.0, "mu": 1.0, "s": 0.5}
    ts = DATA["t"][:6]
    data = {"t": ts, "z": np.where(np.arange(6) == 2, np.nan, DATA["z"][:6])}
    found = log_likelihood(noisy.model, values, data)
    known = np.array([0, 1, 3, 4, 5])
    t = ts[known]
    mean = 1 + np.exp(-t)
    cov = 0.125 * (np.exp(-np.abs(t[:, None] - t)) - np.exp(-t[:, None] - t))
    law = stats.multivariate_normal(mean, cov + 0.09 * np.eye(5))
    assert found.sum() == pytest.approx(law.logpdf(data["z"][known]), rel=1e-6)
    assert found.shape == (5,)


PLACES = np.array([0.1, 2.05, 4.0, 6.4, 9.3, 12.0, 15.95])


def field_data(model, **changed):
    """What is measured at places of a field, from its run."""
    u = model.simulate(changed).dataset.u
    rows = [
        pd.DataFrame(
            {"l": depth, "x": PLACES, "z": np.interp(PLACES, u.x.values, u.sel(l=depth).values)}
        )
        for depth in (1.0, 2.0, 4.0)
    ]
    return pd.concat(rows)


@pytest.mark.slow
def test_a_spread_is_recovered_from_a_field(tmp_path):
    """Spread and drift of influence, measured at seven places and three times with errors of a thousandth."""
    rows = [
        {
            "symbol": "D",
            "role": "parameter",
            "units": "token**2/layer",
            "bounds": [0.05, 5.0],
            "scale": "log",
        },
        {"symbol": "c", "role": "parameter", "units": "token/layer"},
    ]
    measured = {"symbol": "z", "expression": "u", "units": "1/token", "noise": {"size": 0.001}}
    model = edited(
        tmp_path, "context_diffusion", input__unknowns=rows, modeling__measurements=[measured],
        method_selection={"tolerance": 1e-7},
    )  # fmt: skip
    data = field_data(model, D=0.8, c=0.3)
    data["z"] += 0.001 * np.random.default_rng(0).normal(size=len(data))
    found = model.fit(data, starts=1)
    for name, truth in (("D", 0.8), ("c", 0.3)):
        assert abs(found.values[name] - truth) < 4 * found.errors[name] < 0.08
    assert found.rank == 2 and found.converged
    outside = data.assign(x=17.0)
    check_refused(lambda: model.fit(outside), "from 0 to 16")
    check_refused(lambda: model.fit(data.drop(columns="x")), "l, x, z")


def test_fields_are_looked_at_between_cells(tmp_path):
    """Linear fields and those of sines are read at any place: exactly, and to h^2/8 of the curvature."""
    from meanfield.surrogates.fits._data import Series
    from meanfield.surrogates.fits._residuals import _at

    model = surrogates.load("context_diffusion").model
    x = (np.arange(64) + 0.5) / 4
    series = Series("", np.zeros(4), {}, np.array([0.0, 5.1, 11.9, 16.0]))
    found = _at(model, series, jnp.asarray(np.tile(2 - 3 * x, (4, 1))))
    np.testing.assert_allclose(found, 2 - 3 * series.xs, rtol=1e-12)
    ring = edited(
        tmp_path, "context_diffusion", modeling__boundary_conditions=[],
        modeling__domain={"symbol": "x", "units": "token", "kind": "ring", "stop": 16, "cells": 64},
    ).model  # fmt: skip
    wave = lambda at: np.sin(2 * np.pi * at / 16)
    found = _at(ring, series, jnp.asarray(np.tile(wave(x), (4, 1))))
    np.testing.assert_allclose(found, wave(series.xs), atol=(2 * np.pi / 16) ** 2 / 16 / 8)


def test_lognormal_errors_of_noisy_equations_are_refused(tmp_path):
    noise = {"kind": "lognormal", "size": 0.1}
    rows = [{"symbol": "eta", "role": "parameter", "units": "weight**2/(nat*iteration)"}]
    measured = {"symbol": "z", "expression": "L", "units": "nat", "noise": noise}
    model = edited(tmp_path, "E4", input__unknowns=rows, modeling__measurements=[measured])
    check_refused(lambda: model.fit({"t": [1.0], "z": [0.1]}), "measure the logarithm")
