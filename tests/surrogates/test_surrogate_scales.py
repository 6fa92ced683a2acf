"""States of any size, inputs that jump, and parameters of which nothing tells."""

import jax.numpy as jnp
import numpy as np
import pytest
from editing import plain
from refusals import check_refused

from meanfield.surrogates.fits import unknowns_of
from meanfield.surrogates.fits._identifiability import determined
from meanfield.surrogates.runs import Run
from meanfield.surrogates.runs._flow import Flow
from meanfield.surrogates.runs._scales import jumping, kinks_of, sizes_of
from meanfield.surrogates.runs._simulated import check_sizes

TS = np.array([0.0, 50.0, 100.0])
RATES = {
    "pulse": "1000*step(t - at)*step(at + 0.01 - t)",
    "tiny": "-0.01*tiny",
    "driven": "1e-9*cos(0.01*t)",
    "late": "1e-15*t",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    states = [{"symbol": n, "role": "state", "units": ""} for n in RATES]
    at = {"symbol": "at", "role": "parameter", "units": "", "value": 30.0}
    equation = {"mechanism_link": "", "novelty_tag": "new"}
    return plain(
        tmp_path_factory.mktemp("scales"),
        "",
        {"at": 30.0},
        model_class="ODE",
        independent={"symbol": "t", "units": "", "stop": 100, "points": 3},
        variables=[at, *states],
        equations=[
            {"id": n, "lhs": f"d{n}/dt", "rhs": rhs, **equation} for n, rhs in RATES.items()
        ],
        initial_conditions=[{"symbol": n, "value": 1e-14 if n == "tiny" else 0.0} for n in RATES],
        measurements=[{"symbol": "z", "expression": "pulse", "units": "", "noise": {"size": 0.1}}],
    )


def test_small_states_and_short_pulses_are_followed(model, monkeypatch):
    """Of a state of 1e-14 as many digits are right as of one of 1; a pulse of .01 in a run of 100 is seen."""
    monkeypatch.setattr("meanfield.surrogates.runs._simulated.check_sizes", lambda *_: None)
    found = model.simulate().values
    np.testing.assert_allclose(found.pulse, [0, 10, 10], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.tiny, 1e-14 * np.exp(-0.01 * TS), rtol=1e-8)
    np.testing.assert_allclose(found.driven, 1e-7 * np.sin(0.01 * TS), rtol=1e-8)


def test_states_have_sizes(model):
    """That of the start; from zero that of the first rate over the run; else 1."""
    np.testing.assert_allclose(sizes_of(model.model), [1.0, 1e-14, 1e-7, 1.0], rtol=1e-12)


def test_fields_are_measured_by_the_sizes_of_their_states(model):
    flow, state = Flow(model.model, (2.0, 5.0)), jnp.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(flow.natural(state), state * np.array([[2.0], [5.0]]))
    np.testing.assert_array_equal(flow.measured(state), state / np.array([[2.0], [5.0]]))


def test_from_zero_the_size_is_what_the_first_rate_adds(tmp_path):
    """From t = 2 to 5 at 1e-3 a unit of time."""
    equation = {
        "id": "a",
        "lhs": "da/dt",
        "rhs": "0.0005*t",
        "mechanism_link": "",
        "novelty_tag": "new",
    }
    late = plain(
        tmp_path,
        "",
        {},
        model_class="ODE",
        independent={"symbol": "t", "units": "", "start": 2, "stop": 5, "points": 3},
        variables=[{"symbol": "a", "role": "state", "units": ""}],
        equations=[equation],
        initial_conditions=[{"symbol": "a", "value": 0.0}],
        measurements=[{"symbol": "z", "expression": "a", "units": "", "noise": {"size": 0.1}}],
    )
    assert sizes_of(late.model) == pytest.approx((3e-3,), rel=1e-12)


def test_a_state_that_was_not_resolved_is_told(model):
    """Its error is 1e-10 and it is 5e-12, which is no rounding beside states of 1e-7."""
    states = np.zeros((3, 4))
    states[-1] = [0.0, 1e-14, 1e-7, 5e-12]
    check_refused(lambda: check_sizes(model.model, _run(states)), "units")
    states[-1, 3] = 1e-20
    check_sizes(model.model, _run(states))


def _run(states):
    return Run(TS, jnp.asarray(states), {}, jnp.asarray(True))


def test_jumps_are_where_arguments_of_step_pass_zero(model):
    times = kinks_of(model.model, {"at": jnp.asarray(20.0)})
    np.testing.assert_allclose(times, [20, 20.01], rtol=1e-12)
    assert jumping(model.model) == {"at", "t"}
    check_refused(lambda: unknowns_of(model.model), "got at")


def test_other_fits_and_bounds(tmp_path):
    """A profile asks for the fit of its data; intervals end at bounds."""
    line, ts = plain(tmp_path, "a*t", {"a": (1.0, [0, 3])}), np.linspace(0, 1, 20)
    fit = line.fit({"t": ts, "z": 2.95 * ts}, starts=1)
    assert fit.intervals["a"][1] == 3.0 and fit.intervals["a"][0] < 2.9
    check_refused(lambda: line.profile("a", {"t": ts, "z": ts}, fit), "fit=surrogate.fit(data)")
    unknowns = unknowns_of(line.model)
    (known,) = determined(unknowns, np.array([1.0]), np.zeros((1, 1))).intervals
    assert known == (0.0, 3.0)
