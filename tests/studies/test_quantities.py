"""What each variable of a result is called, and its unit."""

import numpy as np
import xarray as xr
from toys import Powers

from meanfield.studies import repeat
from meanfield.studies.machinery._quantities import told


def _attrs(own, **variables):
    return {name: values.attrs for name, values in told(xr.Dataset(variables), own).items()}


def test_words_come_from_the_study_its_attributes_and_what_all_share():
    number = ((), 1.0)
    found = _attrs(
        {"turned": "angle turned [rad]", "gap": "gap"},
        turned=number,
        turned_error=((), 1.0, {"long_name": "of something else"}),
        gap=((), 1.0, {"long_name": "less", "note": "kept"}),
        speed=((), 1.0, {"long_name": "speed", "units": "m/s"}),
        beta_low=number,
        my_own=number,
    )
    assert found["turned"] == {"long_name": "angle turned", "units": "rad"}
    # an end of a name that the study has is of that name, whatever arithmetic left in the attributes
    assert found["turned_error"] == {"long_name": "standard error: angle turned", "units": "rad"}
    assert found["gap"] == {"long_name": "gap", "note": "kept", "units": "1"}
    assert found["speed"] == {"long_name": "speed", "units": "m/s"}
    low = "lower end of its 95 % interval: inverse temperature"
    assert found["beta_low"] == {"long_name": low, "units": "1"}
    assert found["my_own"] == {"long_name": "my own", "units": "1"}


def test_names_and_truth_values_have_no_unit():
    found = _attrs({}, converged=((), True), kind=("k", np.array(["a", "b"])))
    assert "units" not in found["converged"]
    assert "units" not in found["kind"]


def test_runs_and_their_repetitions_are_told():
    for study in (Powers(), repeat(Powers(), 2)):
        result = study.run()
        assert all(values.attrs["long_name"] for values in result.variables.values())
        assert result.seed.attrs["long_name"] == "seed" if "seed" in result else True
