"""What studies of attention compute of runs and recordings, without either."""

from types import SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from meanfield.studies import AttentionMarginals, AttentionNormalizations
from meanfield.studies.depth import _attention_normalizations as module


class Estimate(NamedTuple):
    value: jax.Array
    standard_error: jax.Array


def standing(dynamics, start, ts, *, observe, tol, throw):
    """A run in which nothing moves."""
    values = {name: look(start) for name, look in observe.items()}
    values = jax.tree.map(lambda value: jnp.stack([value] * len(ts)), values)
    return SimpleNamespace(values=values, ok=jnp.asarray(not throw))


def mean_of_cosines(x):
    """In place of an entropy; the number of tokens in place of its error."""
    return Estimate(x[:, 0].mean(), jnp.asarray(float(len(x))))


def test_both_runs_start_from_the_tilted_law(monkeypatch):
    monkeypatch.setattr(module, "simulate", standing)
    monkeypatch.setattr(module, "entropy_knn", mean_of_cosines)
    study = AttentionNormalizations(n=4000, degree=16, saves=3, end=1.0)
    found = study.compute({"attention": "softmax", "sign": -1})
    # int (1 + a cos) log(1 + a cos) = 1 - sqrt(1 - a^2) + log((1 + sqrt(1 - a^2))/2), a = .8.
    np.testing.assert_allclose(found.exact, -(0.4 + np.log(0.8)), rtol=1e-9)
    np.testing.assert_allclose(found.least, 0.2, rtol=1e-3)  # at the node nearest to pi
    # The mean of cos is a/2, with deviation below sqrt(1/2); five of them.
    np.testing.assert_allclose(found.estimate, 0.4, atol=5 * np.sqrt(0.5 / 4000))
    assert found.standard_error.values.tolist() == [4000.0] * 3
    assert found.time.values.tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("name", ["softmax", "sinkhorn"])
def test_values_have_the_sign(name):
    attention = AttentionNormalizations(beta=2.5)._attention(name, -1)
    assert type(attention).__name__.lower() == name and float(attention.beta) == 2.5
    assert np.asarray(attention.value).tolist() == [[-1.0, 0.0], [0.0, -1.0]]


@pytest.mark.parametrize("sign", [1, -1])
def test_claims_follow_the_entropy_in_the_direction_of_the_sign(sign):
    study = AttentionNormalizations(n=1000)
    data = {
        "exact": -sign * np.array([0.1, 0.4, 0.6]),
        "estimate": -sign * np.array([0.15, 0.3, 0.7]),
        "standard_error": [0.01, 0.03, 0.02],
    }
    one = xr.Dataset({name: ("time", values) for name, values in data.items()})
    steps, amount, gap = study.claims_at({"attention": "softmax", "sign": sign}, one)
    assert steps.measured == pytest.approx(0.2) and amount.measured == pytest.approx(0.55)
    assert gap.measured == pytest.approx(0.1)
    # Four standard errors, and k/n log n of few neighbours.
    assert gap.tolerance == pytest.approx(0.12 + 3 * np.log(1000) / 1000)
    assert all(claim.passed for claim in (steps, amount, gap))
    other = study.claims_at({"attention": "softmax", "sign": -sign}, one)
    assert [claim.passed for claim in other[:2]] == [False, False]


def shares(first):
    """Two layers; the first token's share of causal uniform attention times n."""
    values = {
        "uniform_sink_share": [first / 20, 1.1 * first / 20],
        "sink_share": [first / 20 + 0.2, 1.1 * first / 20 + 0.4],
        "from_causal": [0.3, 1.6],
        "from_one": [0.6, 2.0],
        "slope_r2": [0.1, 0.4],
    }
    return xr.Dataset({name: ("layer", each) for name, each in values.items()})


def test_columns_of_causal_uniform_attention_are_harmonic():
    study = AttentionMarginals(tokens=20)
    harmonic = np.sum(1 / np.arange(1, 21))
    first, near = study.claims(shares(harmonic))
    assert first.measured == pytest.approx(harmonic) and first.expected == pytest.approx(harmonic)
    assert first.passed and not study.claims(shares(0.999 * harmonic))[0].passed
    assert near.measured == pytest.approx(0.8) and near.passed


def test_sinks_hold_what_is_beyond_uniform():
    sink, share = AttentionMarginals(tokens=20, recording="example").claims(shares(3.0))
    assert sink.measured == pytest.approx(0.3) and sink.passed
    assert share.measured == pytest.approx(0.25) and share.passed
