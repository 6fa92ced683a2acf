"""Problems as PEtab's tables and SBML: what is written is read back, and is what the document says."""

import math
import sys

import numpy as np
import pandas as pd
import pytest
from editing import edited
from refusals import check_refused

from meanfield import surrogates
from meanfield.surrogates.exchange import as_sbml, write_tables
from meanfield.surrogates.fits import series_of

NEEDED = "needs libsbml: pip install 'meanfield-jax[sbml]'"
DATA = {"l": [0.0, 1.0, 2.5], "y_a": [0.1, np.nan, 0.5]}


def test_tables_are_read_back(tmp_path):
    conditions = [{"id": "low", "set": {"a": 0.2}}, {"id": "late", "set": {"rate": 0.1}}]
    model = edited(tmp_path, "E2", modeling__conditions=conditions)
    data = {"l": [1.0, 2.0, 1.0], "y_a": [0.3, 0.4, 0.2], "condition": ["low", "low", "late"]}
    write_tables(model.model, data, tmp_path / "petab")
    read = lambda name: pd.read_csv(tmp_path / "petab" / f"{name}.tsv", sep="\t")
    rate, end = read("parameters").to_dict("records")
    # as a condition sets it, what the others estimate has another name
    assert rate == {"parameterId": "rate_free", "parameterScale": "log", "lowerBound": 0.001,
                    "upperBound": 5.0, "nominalValue": 0.4, "estimate": 1}  # fmt: skip
    assert (
        end["parameterId"] == "a_eq"
        and end["parameterScale"] == "lin"
        and end["nominalValue"] == 0.9
    )
    table = read("conditions").set_index("conditionId")
    assert table.a["low"] == 0.2 and table.rate["late"] == "0.1" and np.isnan(table.a["late"])
    assert table.rate["low"] == table.rate["as_it_is"] == "rate_free"
    (seen,) = read("observables").to_dict("records")
    assert seen["observableFormula"] == "a" and seen["noiseFormula"] == 0.02
    back = series_of(model.model, model.imported(tmp_path / "petab"))
    for one, other in zip(series_of(model.model, data), back, strict=True):
        assert one.condition == other.condition
        np.testing.assert_array_equal(one.ts, other.ts)
        np.testing.assert_array_equal(one.values["y_a"], other.values["y_a"])


def test_without_conditions_too(tmp_path):
    model = surrogates.load("E2")
    write_tables(model.model, DATA, tmp_path)
    found = model.imported(tmp_path)
    assert found.l.tolist() == [0.0, 2.5] and found.y_a.tolist() == [0.1, 0.5]
    check_refused(lambda: model.imported(tmp_path / "none"), "check its path")


def test_sbml_says_what_the_document_says(tmp_path):
    libsbml = pytest.importorskip("libsbml", reason=NEEDED)
    model = edited(tmp_path, "E1", modeling__variables__4__value="log(exp(1))*l**2/(4*l)")
    whole = libsbml.readSBMLFromString(as_sbml(model.model))
    whole.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, False)
    whole.checkConsistency()
    assert whole.getNumErrors(libsbml.LIBSBML_SEV_ERROR) == 0
    inner = whole.getModel()
    values = {p.getId(): p.getValue() for p in inner.getListOfParameters() if p.getConstant()}
    assert values == model.model.numbers

    def value(rule, **others):
        text = libsbml.formulaToL3String(rule.getMath()).replace("^", "**")
        return eval(text, {"ln": math.log, "exp": math.exp, **values, **others})

    surprise = value(inner.getRuleByVariable("S"), time=3.0)
    assert surprise == pytest.approx(0.75)
    rule = inner.getRuleByVariable("H")
    assert rule.isRate() and value(rule, H=4.0, S=surprise) == pytest.approx(
        -0.1 * 3.5 - 0.2 * 0.75
    )
    assert value(inner.getInitialAssignment("H")) == 5.0


def test_a_problem_is_a_folder(tmp_path):
    pytest.importorskip("libsbml", reason=NEEDED)
    folder = surrogates.load("E2").export(tmp_path / "problem", DATA)
    names = ["conditions.tsv", "measurements.tsv", "model.xml", "observables.tsv", "parameters.tsv"]
    assert sorted(p.name for p in folder.iterdir()) == [*names, "problem.yaml"]
    assert "measurement_files:\n  - measurements.tsv" in (folder / "problem.yaml").read_text()


def test_what_sbml_has_not_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("libsbml", reason=NEEDED)
    check_refused(lambda: as_sbml(surrogates.load("E3").model), "ordinary or algebraic")
    stepping = edited(tmp_path, "E1", modeling__variables__4__value="step(l - 3)/4")
    check_refused(lambda: as_sbml(stepping.model), "min and max")
    monkeypatch.setitem(sys.modules, "libsbml", None)
    check_refused(lambda: as_sbml(surrogates.load("E2").model), "meanfield-jax[sbml]")
