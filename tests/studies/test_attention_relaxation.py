"""Attention over layers: the solution obeys E2, fits are those of least squares, shares those of matrices."""

import numpy as np
import pytest
from scipy import optimize

from meanfield.studies.latents._attention_relaxation import (
    KNOWN,
    compared,
    fitted,
    kinds_of,
    made_errors,
    made_up,
    solution,
)

LAYERS, SHARE = made_up(0)


def test_the_solution_obeys_the_equation():
    """da/dl = -rate (a - a_eq), from the start."""
    layers, h = np.array([2.0, 5.0, 5.0 + 1e-6]), 1e-6
    start, now, later = solution(layers, np.array([0.2]), 0.3, 0.7)[0]
    assert start == pytest.approx(0.2, rel=1e-14)
    assert (later - now) / h == pytest.approx(-0.3 * (now - 0.7), rel=1e-5)


def test_fits_are_those_of_least_squares():
    rest = lambda p: (SHARE - solution(LAYERS, SHARE[:, 0], *p)).ravel()
    best = optimize.least_squares(rest, [0.2, 0.5], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    # a bounded search over the logarithm of the rate ends at 1e-5
    np.testing.assert_allclose(fitted(LAYERS, SHARE), best.x, rtol=1e-4)
    errors = np.sqrt(np.diag(np.linalg.inv(best.jac.T @ best.jac))) * 0.02
    # of twelve texts of sixteen, other ones
    np.testing.assert_allclose(made_errors(0), errors * np.sqrt(16 / 12), rtol=0.15)
    low = solution(LAYERS, SHARE[:, 0], 0.4, -0.2)
    assert fitted(LAYERS, low)[1] == 0.0  # a share is not negative


def test_a_text_that_weighs_twice_is_there_twice():
    weights = np.ones(16)
    weights[3] = 2.0
    twice = fitted(LAYERS, np.concatenate([SHARE, SHARE[3:4]]))
    assert fitted(LAYERS, SHARE, weights) == pytest.approx(twice, rel=1e-9)


def test_differences_between_texts_persist_as_the_mean_moves():
    exact = solution(LAYERS, SHARE[:, 0], *KNOWN)
    found = compared(LAYERS, exact + 1e-9 * SHARE, 0)
    np.testing.assert_allclose(found["persistence"], np.exp(-0.4 * LAYERS), atol=1e-6)
    np.testing.assert_allclose(found["persistence_fitted"], found["persistence"], atol=1e-4)
    assert found["explained"] > 1 - 1e-6 and (found["gain"] > 1).all()


def test_what_is_explained_is_the_share_of_the_variance():
    """Of the texts that were not fitted, beyond the first layer."""
    found = compared(LAYERS, SHARE, 0)
    answer = solution(LAYERS, SHARE[:, 0], float(found["rate"]), float(found["equilibrium"]))
    rest, whole = (SHARE - answer)[3::4, 1:], SHARE[3::4, 1:]
    assert found["explained"] == pytest.approx(1 - rest.var() / whole.var(), abs=0.01)
    assert found["explained"] == pytest.approx(1 - (rest**2).mean() / whole.var(), rel=1e-12)
    assert found["explained"] < 0.995


def test_kinds_are_parts_of_the_matrix():
    weights = np.array([[[1.0, 0.0, 0.0], [0.3, 0.7, 0.0], [0.2, 0.5, 0.3]]])
    np.testing.assert_allclose(kinds_of(weights), [0.25, 2.0 / 3, 0.4], rtol=1e-14)
