"""The sign of surprise: the solution obeys its equation, and fits of it are those of least squares."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from meanfield.studies.latents._surprise_sign import fitted, made_up, solution

LAYERS, ENTROPY, SURPRISE = made_up(0)


def test_the_solution_obeys_the_equation():
    """dH/dl = -kappa (H - H_min) + gamma S from the start, by differentiating."""
    rate, floor, gamma, s = 0.3, 0.5, 0.2, 2.0

    def one(layer):
        end = floor + gamma * s / rate
        return end + (7.0 - end) * jnp.exp(-rate * layer)

    found = solution(np.array([2.0, 5.0]), np.array([7.0]), np.array([s]), rate, floor, gamma)[0]
    np.testing.assert_allclose(found, [7.0, one(3.0)], rtol=1e-12)
    h, slope = jax.jvp(one, (3.0,), (1.0,))
    assert float(slope) == pytest.approx(float(-rate * (h - floor) + gamma * s), rel=1e-12)


@pytest.mark.parametrize("sign", [None, 1.0, -1.0])
def test_fits_are_those_of_least_squares(sign):
    """With the weight bounded below or above by zero, or free."""
    ends = {None: (-np.inf, np.inf), 1.0: (0.0, np.inf), -1.0: (-np.inf, 0.0)}[sign]
    found = fitted(LAYERS, ENTROPY, SURPRISE, sign)
    rest = lambda p: (ENTROPY - solution(LAYERS, ENTROPY[:, 0], SURPRISE, *p)).ravel()
    bounds = ([1e-3, -np.inf, ends[0]], [3.0, np.inf, ends[1]])
    start = [0.15, 0.0, 0.01 * (sign or 1.0)]
    best = optimize.least_squares(rest, start, bounds=bounds, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    # a bounded search over the logarithm of the rate ends at 1e-5
    np.testing.assert_allclose(found, best.x, rtol=1e-3, atol=1e-5)
    assert found[2] * (sign or 1.0) >= 0


def test_a_text_that_weighs_twice_is_there_twice():
    weights = np.ones(16)
    weights[3] = 2.0
    twice = [np.concatenate([each, each[3:4]]) for each in (ENTROPY, SURPRISE)]
    np.testing.assert_allclose(
        fitted(LAYERS, ENTROPY, SURPRISE, None, weights), fitted(LAYERS, *twice, None), rtol=1e-6
    )
