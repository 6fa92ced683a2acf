"""Recordings that real models do not make but users do: what is measured of them, and what is refused."""

import jax
import numpy as np
from refusals import check_refused

from meanfield.latents import Linear, Recording, fit_drift, lines_of_thought, profile

STATES = 1 + np.random.default_rng(0).normal(size=(3, 24, 5)).cumsum(axis=0)
PLAIN = Recording(STATES)


def fit(text, **options):
    """Held out is what has the same directions."""
    return fit_drift(text, Recording(2 * text.states), Linear(), sinks=None, **options)


def test_lengths_of_states_do_not_matter_where_directions_are_fitted():
    # Squares of 1e30 and of 1e-30 are no numbers of single precision.
    want = fit(PLAIN)
    for size in (1e30, 1e-30):
        found = fit(Recording((size * STATES).astype(np.float32)))
        np.testing.assert_allclose(found.noise, want.noise, rtol=1e-5)
        np.testing.assert_allclose(found.r2_train, want.r2_train, rtol=1e-5)
    big = Recording((1e30 * STATES).astype(np.float32))
    np.testing.assert_allclose(big.radii(), 1e30 * np.linalg.norm(STATES, axis=2), rtol=1e-6)
    check_refused(lambda: profile(big), "divide them by a number")
    check_refused(lambda: profile(Recording((1e-30 * STATES).astype(np.float32))), "divide them")


def test_tokens_that_do_not_move_leave_nothing_to_explain():
    still = fit(Recording(np.stack([STATES[0], STATES[0]])))
    assert still.noise == still.noise_naive == 0 and np.isnan(still.r2_test)
    check_refused(lambda: fit(Recording(np.stack([STATES[0], -STATES[0]]))), "turned round")


def test_too_few_tokens_are_refused():
    one = Recording(STATES[:, :1])
    check_refused(lambda: fit(one), "pass ridges=[0.1]")
    # Two steps of four coordinates each, and a ridge that holds back all but the mean.
    assert 0 <= fit(one, ridges=[1e9]).r2_train < 1
    check_refused(lambda: lines_of_thought(one, PLAIN), "tokens that differ")
    two = Recording(STATES[:, :2])
    check_refused(lambda: lines_of_thought(two, PLAIN, ridge=1e-30), "pass ridge=0.03")
    check_refused(lambda: lines_of_thought(Recording(1e200 * STATES), PLAIN), "divide them")
    twice = Recording(2 * STATES)
    check_refused(lambda: fit_drift(PLAIN, twice, Linear(), sinks=1e-3), "no sink")


def test_a_text_that_was_fitted_is_not_held_out():
    """By its numbers, wherever they lie; one of other tokens, or the same ones elsewhere, is another."""
    twice, again = Recording(2 * STATES), Recording(STATES.copy())
    for held_out in (PLAIN, [twice, again]):
        for call in (lambda h: fit_drift(PLAIN, h, Linear()), lambda h: lines_of_thought(PLAIN, h)):
            check_refused(lambda call=call, held_out=held_out: call(held_out), "hold out others")
    first, last = PLAIN.drop(range(12, 24)), PLAIN.drop(range(12))
    assert np.isfinite(lines_of_thought(first, last).residual).all()
    moved = Recording(STATES[:, :12], positions=range(12, 24))
    assert np.isfinite(lines_of_thought(first, moved).residual).all()


def test_double_precision_is_given_where_jax_has_it():
    assert PLAIN.dtype == PLAIN.cloud(0).dtype == np.float64
    with jax.enable_x64(False):
        assert PLAIN.dtype == PLAIN.cloud(0).dtype == np.float32
