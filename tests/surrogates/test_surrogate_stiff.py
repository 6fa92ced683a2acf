"""Documents of which some rates are far larger than others, and runs that fail."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from editing import plain
from refusals import check_refused

from meanfield.solve import SolveError, simulate
from meanfield.surrogates.fits._residuals import FAILED
from meanfield.surrogates.runs import _run

RATE, TS = 1e6, np.linspace(0, 10, 6)
UNKNOWNS = {"rate": (RATE, [1e3, 1e7])}


def followed(tmp_path, rhs="-rate*(y - cos(t))", method=None, **modeling):
    """dy/dt = -rate (y - cos t) from 0, or another right-hand side."""
    return plain(
        tmp_path,
        "y",
        UNKNOWNS,
        method,
        independent={"symbol": "t", "units": "", "stop": 10, "points": 6},
        variables=[
            {"symbol": "rate", "role": "parameter", "units": "", "value": RATE},
            {"symbol": "y", "role": "state", "units": ""},
        ],
        equations=[
            {"id": "E", "lhs": "dy/dt", "rhs": rhs, "mechanism_link": "", "novelty_tag": "new"}
        ],
        initial_conditions=[{"symbol": "y", "value": 0.5}],
        **{"model_class": "ODE", **modeling},
    )


def test_stiff_equations_are_followed_at_all_saved_times(tmp_path):
    """y = (k^2 cos t + k sin t)/(1 + k^2) but for e^{-kt}; the error is a few tolerances. Between steps of a
    length of 1, by slopes at their ends, it would be .1."""
    found = followed(tmp_path, method={"stiff": True, "tolerance": 1e-7}).simulate().values
    exact = (RATE**2 * np.cos(TS) + RATE * np.sin(TS)) / (1 + RATE**2)
    np.testing.assert_allclose(found.y[1:], exact[1:], atol=1e-6)


def test_advice_is_for_documents(tmp_path, monkeypatch):
    few = functools.partial(simulate, max_steps=64)
    monkeypatch.setattr(_run, "simulate", few)
    with pytest.raises(SolveError, match=r"method_selection\.stiff to true") as error:
        followed(tmp_path).simulate()
    assert "merge" not in str(error.value) and "max_steps" not in str(error.value)
    with pytest.raises(SolveError, match=r"shorten modeling\.independent"):
        followed(tmp_path, "y*y*1e3").simulate()


def test_a_fit_of_which_no_run_ends_is_refused(tmp_path, monkeypatch):
    failed = lambda *rest: jnp.full(6, FAILED)
    monkeypatch.setattr("meanfield.surrogates.fits._fit.residuals", failed)
    with pytest.raises(SolveError, match="start from others"):
        followed(tmp_path).fit({"t": TS, "z": np.cos(TS)}, starts=1)


def test_stiff_documents_have_no_noise_or_conditions(tmp_path):
    event = {"id": "low", "when": "y <= 0.1", "set": {"y": 1.0}}
    check_refused(
        lambda: followed(tmp_path, method={"stiff": True}, model_class="hybrid", events=[event]),
        "$.method_selection.stiff",
    )
