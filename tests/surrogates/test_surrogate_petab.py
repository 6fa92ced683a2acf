"""Problems in PEtab's tables: what is written is read back, and what is wrong is named by file and row."""

import copy
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from editing import edited, solved
from refusals import check_refused

from meanfield import surrogates
from meanfield.surrogates.documents import check_consistent, digest, parse
from meanfield.surrogates.exchange import problem_of, read_tables, write_tables
from meanfield.surrogates.fits import series_of

CONDITIONS = [{"id": "low", "set": {"a_eq": 0.7}}, {"id": "fast", "set": {"rate": 0.8}}]
DATA = {
    "l": [2.0, 1.0, 1.0, 0.5],
    "y_a": [0.4, 0.3, 0.31, 0.2],
    "condition": ["low", "low", "low", "fast"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """E2 under two conditions, and its tables."""
    folder = tmp_path_factory.mktemp("petab")
    model = solved(folder, "E2", modeling__conditions=CONDITIONS)
    write_tables(model.model, DATA, folder / "problem")
    return model, folder / "problem"


@pytest.fixture
def problem(made, tmp_path):
    """The same in a folder that may be changed."""
    model, folder = made
    return model, Path(shutil.copytree(folder, tmp_path / "problem"))


def emptied(model):
    """The document without all that tables say of it."""
    content = copy.deepcopy(model.document.model_dump(mode="json"))
    content["input"]["unknowns"] = []
    content["modeling"] |= {"conditions": [], "measurements": []}
    content["modeling"]["variables"][1]["value"] = 3.0
    return content


def change(folder, file, old, new):
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_tables_give_back_the_document(problem):
    model, folder = problem
    content, data = problem_of(emptied(model), read_tables(folder))
    found = parse(content)
    check_consistent(found)
    assert digest(found) == model.digest != digest(parse(emptied(model)))
    for one, other in zip(series_of(model.model, DATA), series_of(model.model, data), strict=True):
        assert one == other
    # what was measured twice at a time stays two numbers, and is no mean of both
    assert model.imported(folder).y_a.tolist() == data.y_a.tolist() == [0.2, 0.3, 0.31, 0.4]


def test_a_problem_of_others_is_read(problem):
    """Scales of log10, values that are not estimated, numbers by name, conditions that set nothing."""
    model, folder = problem
    (folder / "parameters.tsv").write_text(
        "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\n"
        "rate\tlog10\t0\tinf\t0.25\t1\n\na_eq\tlin\t\t\t0.8\t0\nsize\tlin\t0\t1\t0.1\t0\n"
        .replace("a_eq\tlin\t\t", "a_eq\tlin\t0\t1")
    )  # fmt: skip
    (folder / "observables.tsv").write_text(
        "observableId\tobservableName\tobservableFormula\tobservableTransformation\tnoiseFormula\n"
        "y\tseen\tln(a)^2\tlog10\tsize\n"
    )
    (folder / "conditions.tsv").write_text("conditionId\ta_eq\nhere\t\nthere\tsize\n")
    (folder / "measurements.tsv").write_text(
        "observableId\tsimulationConditionId\ttime\tmeasurement\ny\tthere\t3\t2e0\ny\there\t1\t0.5\n"
    )
    content, data = problem_of(emptied(model), read_tables(folder))
    document = parse(content)
    check_consistent(document)
    (unknown,), (seen,) = document.input.unknowns, document.modeling.measurements
    assert (unknown.symbol, unknown.scale, unknown.bounds) == ("rate", "log", None)
    values = {v.symbol: v.value for v in document.modeling.variables}
    assert (values["rate"], values["a_eq"]) == (0.25, 0.8)
    assert seen.expression == "log(a)**2" and seen.noise.kind == "lognormal"
    # a tenth in logarithms to the base 10
    assert seen.noise.size == pytest.approx(0.1 * math.log(10), rel=1e-15)
    sets = {each.id: each.set for each in document.modeling.conditions}
    assert sets == {"here": {"a_eq": 0.8}, "there": {"a_eq": 0.1}}
    assert data.to_dict("list") == {"l": [1, 3], "y": [0.5, 2], "condition": ["here", "there"]}


def test_bounds_that_end_nowhere_are_none(problem):
    model, folder = problem
    for old in ("\t0.001\t5.0", "\t0.0\t1.0"):
        change(folder, "parameters.tsv", old, "\t-inf\tinf")
    content, _ = problem_of(emptied(model), read_tables(folder))
    bounds = {each["symbol"]: each["bounds"] for each in content["input"]["unknowns"]}
    assert bounds == {"rate": None, "a_eq": None}


def test_a_condition_that_sets_nothing_is_named(problem):
    """Beside one that sets something it would set a constant to itself, of which there is none."""
    model, folder = problem
    (folder / "conditions.tsv").write_text("conditionId\ta_eq\nfast\t0.7\nlow\t\n")
    text = (folder / "parameters.tsv").read_text()
    (folder / "parameters.tsv").write_text(text.replace("_free", ""))
    words = "a condition that sets something in conditions.tsv, row 2, got low; set a constant to itself"
    check_refused(lambda: problem_of(emptied(model), read_tables(folder)), words)


def test_one_column_has_one_parameter(problem):
    model, folder = problem
    (folder / "conditions.tsv").write_text("conditionId\ta_eq\nlow\trate_free\nfast\ta_eq_free\n")
    words = (
        "one estimated parameter a column in conditions.tsv, row 1, got several in a_eq; fit one"
    )
    check_refused(lambda: problem_of(emptied(model), read_tables(folder)), words)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("parameters.tsv", "lowerBound", "lower", "one column lowerBound in parameters.tsv"),
        ("parameters.tsv", "rate_free\tlog", "rate_free\tcubic", "parameters.tsv, row 1, got cubic; choose"),
        ("parameters.tsv", "0.001", "-1", "positive lowerBound on a log scale in parameters.tsv"),
        ("parameters.tsv", "0.001", "x", "row 1, got x; write a number"),
        ("parameters.tsv", "0.001", "6.0", "row 1, got 6 and 5; give both"),
        ("parameters.tsv", "0.001", "2.0", "row 1, got 0.4; widen them"),
        ("parameters.tsv", "a_eq_free", "rate_free", "row 2, got rate_free again; drop or rename it"),
        ("parameters.tsv", "a_eq_free", "b_eq", "row 2, got b_eq; estimate parameters of the model"),
        ("parameters.tsv", "a_eq_free", "a", "row 2, got the output a; drop the row"),
        ("parameters.tsv", "a_eq_free", "a eq", "row 2, got a eq; rename it"),
        ("parameters.tsv", "estimate\n", "estimate\tmore\n", "row 1, got 6; fill or drop some"),
        ("observables.tsv", "\t0.02", "\t-1", "observables.tsv, row 1, got -1; raise it"),
        ("observables.tsv", "\t0.02", "\tb", "row 1, got b; write a number"),
        ("observables.tsv", "\tnormal", "\tlaplace", "row 1, got laplace; choose"),
        ("observables.tsv", "\ta\t", "\t\t", "row 1, got none; write what is observed"),
        ("conditions.tsv", "\ta_eq\n", "\ta\n", "parameters.tsv, row 2, got the output a; drop"),
        ("conditions.tsv", "a_eq_free", "rate_free", "row 1, got rate_free in two; use two"),
        ("conditions.tsv", "\ta_eq_free\nlow", "\t\nlow", "a_eq in conditions.tsv, row 1, got none; fill"),
        ("conditions.tsv", "0.7", "1_0", "conditions.tsv, row 2, got 1_0; write a number"),
        ("measurements.tsv", "y_a", "y_b", "measurements.tsv, row 1, got y_b; add it there"),
        ("measurements.tsv", "\tlow", "\tnone", "row 2, got none; add it there"),
        ("measurements.tsv", "0.31", "nan", "got nan; write a number"),
        ("measurements.tsv", "0.31", "", "got none; fill measurement"),
        ("measurements.tsv", "2.0", "inf", "got inf; write a number"),
        ("problem.yaml", "format_version: 1", "format_version: 2", "write the tables of PEtab 1"),
        ("problem.yaml", "  - measurements.tsv", "  - ../a.tsv", "copy the file there"),
        ("problem.yaml", "  - measurements.tsv", "  - a.tsv", "check its path"),
        ("problem.yaml", "measurement_files", "measured", "names of files for measurement_files"),
        ("problem.yaml", "parameters.tsv", "[]", "add them"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_file_and_row(problem, file, old, new, words):
    model, folder = problem
    change(folder, file, old, new)
    check_refused(lambda: problem_of(emptied(model), read_tables(folder)), words)


@pytest.mark.parametrize(
    ("file", "column"),
    [
        ("parameters.tsv", "objectivePriorType"),
        ("measurements.tsv", "preequilibrationConditionId"),
        ("measurements.tsv", "noiseParameters"),
    ],
)
def test_what_is_not_read_is_refused(problem, file, column):
    model, folder = problem
    head, first, *rest = (folder / file).read_text().splitlines()
    rest = [f"{row}\t" for row in rest]
    (folder / file).write_text("\n".join([f"{head}\t{column}", f"{first}\tlow", *rest]))
    words = f"no {column}, which is not read, in {file}, row 1, got low; drop it"
    check_refused(lambda: problem_of(emptied(model), read_tables(folder)), words)


def test_one_name_is_one_quantity(problem):
    """A parameter of the model that is estimated elsewhere too, and noise that a condition would change."""
    model, folder = problem
    (folder / "parameters.tsv").write_text(
        "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\n"
        "rate\tlin\t0\t5\t0.25\t1\n"
    )
    for (column, value), noise, words in [
        (
            ("a_eq", "rate"),
            "0.1",
            "for a_eq in conditions.tsv, row 1, got rate; give what is estimated",
        ),
        (
            ("a_eq", "0.5"),
            "a_eq",
            "in conditions.tsv, row 1, got a_eq; write a number for noiseFormula",
        ),
    ]:
        (folder / "conditions.tsv").write_text(f"conditionId\t{column}\nlow\t{value}\nfast\t0.3\n")
        (folder / "observables.tsv").write_text(
            f"observableId\tobservableFormula\tnoiseFormula\ny_a\ta\t{noise}\n"
        )
        check_refused(lambda: problem_of(emptied(model), read_tables(folder)), words)


def test_files_of_no_problem_are_refused(problem, tmp_path):
    model, folder = problem
    check_refused(lambda: surrogates.from_petab(tmp_path / "none"), "check its path")
    content = yaml.safe_load((folder / "problem.yaml").read_text())
    content["problems"] += copy.deepcopy(content["problems"])
    (folder / "two.yaml").write_text(yaml.safe_dump(content))
    check_refused(lambda: surrogates.from_petab(folder / "two.yaml"), "split the file")
    (folder / "measurements.tsv").write_text(
        "observableId\tsimulationConditionId\ttime\tmeasurement\n"
    )
    check_refused(lambda: surrogates.from_petab(folder), "what was measured later")
    check_refused(lambda: model.imported(folder), "add what was measured")
    (folder / "measurements.tsv").write_bytes(b"\xff\xfe\x00")
    check_refused(lambda: model.imported(folder), "measurements.tsv (no text)")


def test_a_problem_that_was_exported_has_the_same_fit(tmp_path):
    pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    depth = np.arange(1.0, 7.0)
    noise = 0.02 * np.cos(9 * depth)
    data = {"l": np.tile(depth, 2), "condition": np.repeat(["low", "high"], 6)}
    model = solved(
        tmp_path, "E2", modeling__conditions=[CONDITIONS[0], {"id": "high", "set": {"a_eq": 0.95}}]
    )
    shares = [end + (0.1 - end) * np.exp(-0.5 * depth) + noise for end in (0.7, 0.95)]
    data["y_a"] = np.concatenate(shares)
    back, read = surrogates.from_petab(model.export(tmp_path / "problem", data), 7)
    one, other = model.fit(data, starts=1), back.fit(read, starts=1)
    assert other.rank == one.rank == 1 and other.dof == one.dof == 11
    assert other.values["rate"] == pytest.approx(one.values["rate"], rel=1e-9)
    assert other.chi2 == pytest.approx(one.chi2, rel=1e-9)


def test_starts_of_conditions_are_read_back(tmp_path):
    pytest.importorskip("libsbml", reason="needs libsbml: pip install 'meanfield-jax[sbml]'")
    conditions = [{"id": "low", "set": {"a": 0.3}}]
    model = edited(tmp_path, "E2", modeling__conditions=conditions)
    data = {"l": [1.0, 4.0], "y_a": [0.3, 0.4], "condition": ["low", "low"]}
    back, read = surrogates.from_petab(model.export(tmp_path / "problem", data))
    assert [each.set for each in back.document.modeling.conditions] == [{"a": 0.3}]
    assert back.document.modeling.independent.stop == 4.0 and read.columns[0] == "t"
    known = {u.symbol: (u.bounds, u.scale) for u in back.document.input.unknowns}
    assert known == {"rate": ([0.001, 5.0], "log"), "a_eq": ([0.0, 1.0], "linear")}
