"""Runs of documents against their closed forms."""

from functools import cache

import jax
import numpy as np
import pytest
from refusals import check_refused

from meanfield import surrogates


@pytest.fixture(scope="module")
def drawn():
    """Runs of documents with noise of one key."""
    return cache(lambda name: surrogates.load(name).simulate(key=jax.random.key(3)))


def test_entropy_and_attention_are_exponentials():
    """H = H_inf + (H_0 - H_inf) e^{-kappa l} with H_inf = H_min - gamma S/kappa; a likewise."""
    found = surrogates.load("E1").simulate()
    depth = found.dataset.l.values
    end = 0.5 - 0.2 * 0.5 / 0.1
    np.testing.assert_allclose(found.dataset.H, end + (5 - end) * np.exp(-0.1 * depth), atol=1e-9)
    assert found.ok and found.dataset.H.attrs["units"] == "bit"
    other = surrogates.load("E2").simulate({"a_eq": 0.8, "a": 0.2})
    np.testing.assert_allclose(other.dataset.a, 0.8 - 0.6 * np.exp(-0.4 * depth), atol=1e-9)


def test_a_surprise_that_adds_raises_the_entropy_where_the_other_sign_lowers_it():
    found = surrogates.load("E1_adding").simulate().dataset
    end = 0.5 + 0.2 * 0.5 / 0.1
    np.testing.assert_allclose(found.H, end + (5 - end) * np.exp(-0.1 * found.l.values), atol=1e-9)


def test_the_expected_loss_stalls_where_noise_balances_descent():
    """E L -> eta s^2/4 = .0125 for eta = 1/2, s^2 = 1/10, as e^{-2 eta t} does: e^{-40} is nothing."""
    found = surrogates.load("E4_mean").simulate().dataset
    assert abs(float(found.L[-1]) - 0.0125) < 1e-9
    np.testing.assert_allclose(found.stall, 0.0125, rtol=1e-12)
    np.testing.assert_allclose(
        found.L, 0.0125 + (0.125 - 0.0125) * np.exp(-found.t.values), atol=1e-9
    )


@pytest.mark.parametrize("name", ["E3", pytest.param("E4", marks=pytest.mark.slow)])
def test_losses_with_noise_stall_there_too(name, drawn):
    """The weight as well as the loss with Ito's term, whose law is 1/40 of chi-squared with one degree:
    mean .0125, standard deviation .0125 sqrt(2). Euler's steps of h = .02 raise it by h eta/2 = 0.5 %."""
    found = drawn(name).dataset.L
    error = 0.0125 * np.sqrt(2 / found.sizes["path"])
    # four standard errors and the bias
    assert abs(float(found[-1].mean()) - 0.0125) < 4 * error + 0.006 * 0.0125
    # without Ito's term the mean would be .125 e^{-20}


def test_noise_is_that_of_the_key(drawn):
    load = surrogates.load("E3")
    one, again = drawn("E3").dataset.W.values, load.simulate(key=jax.random.key(3)).dataset.W.values
    other = load.simulate().dataset.W.values
    assert (one == again).all() and not (one[1:] == other[1:]).any()
    # independent in time and between paths: correlations of 4000 pairs are below 4/sqrt(4000)
    steps = one[1:] - 0.5 * 0 - one[:-1] * np.exp(-0.25)
    assert abs(np.corrcoef(steps[5], steps[6])[0, 1]) < 0.064
    assert abs(np.corrcoef(steps[10, :2000], steps[10, 2000:])[0, 1]) < 0.09


def test_a_phase_ends_at_its_event():
    """Z = (beta F/rho)(1 - e^{-rho t}) until the source ends, and then decays."""
    found = surrogates.load("E5").simulate().dataset
    t = found.t.values
    rise = 0.4 * (1 - np.exp(-0.25 * np.minimum(t, 20)))
    np.testing.assert_allclose(found.Z, rise * np.exp(-0.25 * np.maximum(t - 20, 0)), atol=1e-9)


def test_a_constraint_that_is_broken_is_told_with_time_and_size():
    """H_inf = 1/2 - 2*.2/.1 = -3.5: H(l) = -3.5 + 8.5 e^{-l/10} is negative from l = 8.87 on."""
    found = surrogates.load("fault_entropy").simulate()
    (violation,) = found.violations
    assert not found.ok and violation.id == "nonnegative" and violation.time == 20
    assert violation.size == pytest.approx(3.5 - 8.5 * np.exp(-2.0), abs=1e-8)
    assert violation.share == 12 / 21


def test_what_is_not_of_the_document_is_refused():
    model = surrogates.load("E2")
    for changed, words in (
        ({"b": 1.0}, "quantities of the document"),
        ({"a": "x"}, "a finite number"),
    ):
        check_refused(lambda changed=changed: model.simulate(changed), words)
    check_refused(lambda: surrogates.load(3), "path='model.yaml'")
    check_refused(lambda: surrogates.load("no_such.yaml"), "check its path")
