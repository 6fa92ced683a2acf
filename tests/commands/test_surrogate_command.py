"""`meanfield surrogate`: its commands, statuses and files."""

import json

import numpy as np
import pytest
import xarray as xr

from meanfield.commands import main

DEPTH = np.arange(21.0)


def test_documents_are_checked(capsys):
    assert main(["surrogate", "check", "E1"]) == 0
    assert "0 disagreements" in capsys.readouterr().out
    assert main(["surrogate", "check", "fault_units"]) == 1
    assert "a factor in 1/layer is missing" in capsys.readouterr().out


def test_a_document_is_run_with_other_values(capsys, tmp_path):
    out = tmp_path / "run.nc"
    assert main(["surrogate", "run", "E2", "--set", "a_eq=0.5", "--out", str(out)]) == 0
    assert "0.499" in capsys.readouterr().out
    kept = xr.load_dataset(out, engine="h5netcdf")
    np.testing.assert_allclose(kept.a, 0.5 - 0.4 * np.exp(-0.4 * DEPTH), atol=1e-9)


def test_a_broken_constraint_is_the_status(capsys):
    assert main(["surrogate", "run", "E2", "--set", "a=1.5"]) == 1
    assert "a_share broken by 0.5 at 0" in capsys.readouterr().out


def test_a_document_is_fitted_and_reported(capsys, tmp_path):
    data, out = tmp_path / "data.csv", tmp_path / "fit.json"
    values = 0.9 - 0.8 * np.exp(-0.4 * DEPTH)
    data.write_text(
        "l,y_a\n" + "".join(f"{x:g},{y:.12g}\n" for x, y in zip(DEPTH, values, strict=True))
    )
    command = ["surrogate", "fit", "E2", "--data", str(data), "--starts", "1", "--out", str(out)]
    assert main(command) == 0
    assert "rank 2 of 2" in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["values"] == pytest.approx({"rate": 0.4, "a_eq": 0.9}, rel=1e-6)
    report = tmp_path / "report.md"
    assert main(["surrogate", "report", "fault_units", "--out", str(report)]) == 0
    assert capsys.readouterr().out.strip() == str(report) and "## Validation" in report.read_text()


def test_the_schema_is_json(capsys):
    assert main(["surrogate", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Document"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "none.yaml"], "check its path"),
        (["cheek", "E1"], "check"),
        (["run", "E2", "--set", "a"], "NAME=NUMBER"),
        (["run", "E2", "--set", "b=1"], "quantities of the document"),
        (["schema", "E1"], "expected no arguments"),
        (["check"], "surrogate check --help"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(capsys, arguments, words):
    assert main(["surrogate", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_help_lists_the_commands(capsys):
    assert main(["surrogate", "--help"]) == 0 and main(["surrogate"]) == 2
    assert "check|run|fit|posterior|report|schema" in capsys.readouterr().out
