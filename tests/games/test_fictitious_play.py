"""Players who answer the mean of what they did, against Newton's method and one harmonic by matrices."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.games import Kuramoto, MeanFieldGame, fictitious_play, mean_field_path
from meanfield.harmonics import Gegenbauer

NOISE, END, STEPS = 0.4, 1.5, 16
CIRCLE = Gegenbauer(2, 8)
START = CIRCLE.analyze(1 + 0.3 * CIRCLE.nodes)


@cache
def learned(kappa, aversion=0.0, planner=False, tol=1e-4):
    game = MeanFieldGame(CIRCLE, Kuramoto(kappa), NOISE, None, aversion)
    return fictitious_play(game, START, END, STEPS, planner=planner, rounds=800, tol=tol)


@pytest.mark.parametrize(
    ("aversion", "planner"),
    [(0.0, False), (0.2, False), pytest.param(0.0, True, marks=pytest.mark.slow)],
)
def test_it_finds_the_path_of_newton(aversion, planner):
    """The error of the mean is what the answer to it is apart, over 1 - s, where s < 1/4."""
    found = learned(0.4, aversion, planner)
    game = MeanFieldGame(CIRCLE, Kuramoto(0.4), NOISE, None, aversion)
    path = mean_field_path(game, START, END, STEPS, planner=planner)
    assert found.converged and path.converged and found.rounds < 800
    np.testing.assert_allclose(found.path.density, path.density, atol=2e-4)
    np.testing.assert_allclose(found.path.value, path.value, atol=2e-4)
    assert found.path.cost == pytest.approx(float(path.cost), abs=2e-4)
    assert found.path.exploitability == pytest.approx(float(path.exploitability), abs=2e-4)
    # What it began with is a hundred times as far.
    assert found.apart[0] > 100 * 1e-4 > 100 * found.apart[found.rounds - 1]
    assert jnp.isnan(found.apart[found.rounds :]).all()


def answers(strength):
    """The law of the first harmonic that answers another, about the uniform law, as a matrix over times."""
    step, one = END / STEPS, np.eye(STEPS + 1)
    # v' = noise v + strength M, v(END) = 0;    m' = -v - noise m, m(0) = 0
    value, law = np.zeros((STEPS + 1,) * 2), np.zeros((STEPS + 1,) * 2)
    for i in reversed(range(STEPS)):
        value[i] = (1 - step / 2 * NOISE) * value[i + 1] - step / 2 * strength * (
            one[i] + one[i + 1]
        )
        value[i] /= 1 + step / 2 * NOISE
    for i in range(STEPS):
        law[i + 1] = (1 - step / 2 * NOISE) * law[i] - step / 2 * (value[i] + value[i + 1])
        law[i + 1] /= 1 + step / 2 * NOISE
    free = ((1 - step / 2 * NOISE) / (1 + step / 2 * NOISE)) ** np.arange(STEPS + 1)
    return law, free


@pytest.mark.parametrize(("kappa", "aversion"), [(1.2, 0.0), (0.0, 0.3)])
def test_errors_are_powers_of_the_round(kappa, aversion):
    """Every round of the first harmonic; and n^-(1 - s), with s the largest slope of the answer, or 0."""
    small, rounds = 1e-6, 400
    game = MeanFieldGame(CIRCLE, Kuramoto(kappa), NOISE, None, aversion)
    start = CIRCLE.analyze(1 + small * CIRCLE.nodes)
    found = fictitious_play(game, start, END, STEPS, rounds=rounds, tol=1e-13)
    answer, free = answers(kappa / 2 - aversion)
    mean, apart = np.ones(STEPS + 1), []
    for n in range(rounds):
        law = free + answer @ mean
        apart.append(np.abs(law - mean).max())
        mean = mean + (law - mean) / (n + 1)
    ours = np.asarray(found.apart) / float(start[1])
    # Of second order in the start; and the backward steps are right to 1e-12 of it.
    np.testing.assert_allclose(ours, apart, atol=2e-6)
    slopes = np.linalg.eigvals(answer).real
    power = np.log(apart[rounds // 2] / apart[-1]) / np.log(2)
    if kappa > 0:
        # The next slope is some ninth of this one: what it leaves falls as fast as 1/n.
        assert power == pytest.approx(1 - slopes.max(), abs=0.05) and slopes.max() > 0.3
    else:
        assert 1 <= power <= 1 - slopes.min() and slopes.max() < 1e-9 and slopes.min() < -0.1


def test_what_is_saved_falls_to_the_error_of_the_steps():
    """Of players who draw one of the rounds, that cost is above what an answer costs."""
    gains = [float(learned(0.4, tol=tol).path.exploitability) for tol in (1e-2, 1e-3, 1e-4)]
    assert gains[0] > gains[1] > gains[2]


def test_more_steps_than_newton_can_take():
    game = MeanFieldGame(CIRCLE, Kuramoto(0.4), NOISE)
    with pytest.raises(ValueError, match="call fictitious_play"):
        mean_field_path(game, START, END, 352)
    found = fictitious_play(game, START, END, 352)
    assert found.converged
    # Of 16 steps, which leave (rate step)^2/12 = 1e-4, and of 1e-3 that is still apart.
    np.testing.assert_allclose(found.path.density[::22], learned(0.4).path.density, atol=2e-3)


def test_few_rounds_and_long_steps_have_not_converged():
    game = MeanFieldGame(CIRCLE, Kuramoto(0.4), NOISE)
    assert not fictitious_play(game, START, END, STEPS, rounds=3, tol=1e-6).converged
    check_refused(lambda: fictitious_play(game, START, END, tol=0.0), "tol")
    check_refused(lambda: fictitious_play(game, START, END, rounds=0), "rounds")
