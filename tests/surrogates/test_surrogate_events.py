"""Events that happen where conditions of the state begin to hold, against their exact times."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from editing import plain
from refusals import check_refused

from meanfield.solve import ForwardMode, SolveError
from meanfield.surrogates.runs import solve

TS = np.linspace(0.0, 2.0, 21)


def moving(tmp_path, rates: dict, starts: dict, values: dict, events: list, stop=2.0, **others):
    """A document of these states, whose events are given."""
    rows = [{"symbol": n, "role": "state", "units": ""} for n in rates]
    parameters = [
        {"symbol": n, "role": "parameter", "units": "", "value": v} for n, v in values.items()
    ]
    equations = [
        {
            "id": f"E_{n}",
            "lhs": f"d{n}/dt",
            "rhs": rhs,
            "mechanism_link": "",
            "novelty_tag": "baseline",
        }
        for n, rhs in rates.items()
    ]
    return plain(
        tmp_path,
        "",
        {},
        **{
            "model_class": "hybrid",
            "independent": {"symbol": "t", "units": "", "stop": stop, "points": 21},
            "variables": [*rows, *parameters],
            "equations": equations,
            "initial_conditions": [{"symbol": n, "value": v} for n, v in starts.items()],
            "events": events,
            "measurements": [],
            **others,
        },
    )


def ball(tmp_path, **others):
    bounce = {"id": "bounce", "when": "h <= 0", "set": {"v": "-e*v"}}
    values = {"g": 9.81, "e": 0.8}
    return moving(tmp_path, {"h": "v", "v": "-g"}, {"h": 1.0, "v": 0.0}, values, [bounce], **others)


def height(t, g=9.81, e=0.8):
    """A ball dropped from 1: it lands at sqrt(2/g), and each hop takes e times as long as that before it."""
    begin, speed, hop = -np.sqrt(2 / g), np.sqrt(2 * g), 2 * np.sqrt(2 / g)
    while t > begin + hop:
        begin, speed, hop = begin + hop, e * speed, e * hop
    s = t - begin
    return speed * s - g * s**2 / 2


@pytest.fixture(scope="module")
def bouncing(tmp_path_factory):
    return ball(tmp_path_factory.mktemp("ball"))


def test_a_ball_bounces_at_its_times(bouncing):
    assert bouncing.check().ok
    found = bouncing.simulate()
    first = np.sqrt(2 / 9.81)
    times = first * (1 + 2 * np.cumsum(np.append(0.0, 0.8 ** np.arange(1, 12))))
    times = times[times < 2.0]
    # parabolas are exact: Newton's 1e-12 at each, which the later ones inherit
    np.testing.assert_allclose([each.time for each in found.events], times, rtol=1e-10)
    assert {each.id for each in found.events} == {"bounce"} and len(times) == 3
    heights = [height(t) for t in TS]
    np.testing.assert_allclose(found.dataset.h, heights, atol=1e-9)
    # What is too close is a share of the run: the same in times of 1e-4.
    fast = solve(bouncing.model, {"g": 9.81e8}, 1e-4 * TS, {})
    np.testing.assert_allclose(fast.states[:, 0], heights, atol=1e-9)


@pytest.mark.slow
def test_its_height_is_differentiable_through_bounces(bouncing):
    """By the coefficient of restitution, at a time after two bounces."""

    def end(e):
        run = solve(
            bouncing.model,
            {"e": e},
            np.array([0.0, 1.5]),
            {"adjoint": ForwardMode(), "throw": False},
        )
        return run.states[-1, 0]

    slope = (height(1.5, e=0.8 + 1e-6) - height(1.5, e=0.8 - 1e-6)) / 2e-6
    assert float(jax.jacfwd(end)(jnp.asarray(0.8))) == pytest.approx(slope, rel=1e-7)


def test_a_condition_that_holds_at_the_start_is_no_event(bouncing):
    """From h = -1 at the speed 6 the ball comes out of the floor, and lands where it falls back to it."""
    found = bouncing.simulate({"h": -1.0, "v": 6.0})
    root = (6 + np.sqrt(36 - 2 * 9.81)) / 9.81
    assert found.events[0].time == pytest.approx(root, rel=1e-10)


def test_a_threshold_resets_and_a_phase_begins(tmp_path):
    """x grows at the rate r and is reset at 1, y decays at the rate k to 1/2 and stays."""
    events = [
        {"id": "reset", "when": "x >= 1", "set": {"x": 0.0}},
        {"id": "rest", "when": "y < 1/2", "set": {"k": 0.0}},
        {"id": "faster", "at": 1.25, "set": {"r": 4.0}},
    ]
    model = moving(
        tmp_path, {"x": "r", "y": "-k*y"}, {"x": 0.25, "y": 1.0}, {"r": 2.0, "k": 1.0}, events
    )
    found = model.simulate()
    happened = [(each.id, each.time) for each in found.events]
    names, times = zip(*happened, strict=True)
    assert names == ("reset", "rest", "reset", "reset", "reset", "reset")
    # from .25 on at 2: .375, .875; then .75 at 1.25, and at 4: 1.3125, 1.5625, 1.8125
    wanted = [0.375, np.log(2), 0.875, 1.3125, 1.5625, 1.8125]
    # the interpolant of the decay is of fourth order, at a tolerance of 1e-10
    np.testing.assert_allclose(times, wanted, atol=1e-7)
    sawtooth = np.where(TS <= 1.25, 0.25 + 2 * TS, 2.75 + 4 * (TS - 1.25)) % 1.0
    np.testing.assert_allclose(found.dataset.x, sawtooth, atol=1e-9)
    np.testing.assert_allclose(found.dataset.y, np.maximum(np.exp(-TS), 0.5), atol=1e-7)


def test_a_ball_that_comes_to_rest_fails(bouncing):
    with pytest.raises(SolveError, match="events from accumulating"):
        bouncing.simulate({"e": 0.3})


def test_conditions_that_are_none_are_refused(tmp_path):
    with_event = lambda event: lambda: moving(tmp_path, {"x": "1"}, {"x": 0.0}, {}, [event])
    both = {"id": "a", "at": 1.0, "when": "x > 1", "set": {"x": 0.0}}
    check_refused(with_event(both), "give one of them")
    check_refused(with_event({"id": "a", "set": {"x": 0.0}}), "give one of them")
    check_refused(with_event({"id": "a", "when": "x == 1", "set": {"x": 0.0}}), "<= or >=")
    check_refused(with_event({"id": "a", "when": "x", "set": {"x": 0.0}}), "H >= 0")
