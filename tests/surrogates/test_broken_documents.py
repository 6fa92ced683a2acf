"""A hundred broken documents: each is refused in one sentence, with the JSON path and a remedy."""

import json
import re
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import yaml

from meanfield import surrogates
from meanfield.surrogates._loading import DATA
from meanfield.surrogates.documents import read
from meanfield.surrogates.fits import series_of

GONE = object()
V, M = "modeling.variables", "modeling"
LONG = "x" * 61
ODE = [  # place, what stands there instead, and the path that is named where it is another
    ("schema_version", "2.0"), ("schema_version", GONE), ("schema_version", 1.0), ("metadata", GONE),
    ("metadata", []), ("metadata.problem_id", GONE), ("metadata.problem_id", "a b"),
    ("metadata.problem_id", LONG), ("metadata.title", 3), ("metadata.titel", "E1"), ("input", GONE),
    ("input", None), ("input.problem_summary", GONE), ("input.problem_summary", ["a"]),
    ("input.known_quantities.0.value", "five"), ("input.known_quantities.0.value", True),
    ("input.known_quantities.0.value", 1e31), ("input.known_quantities.0.units", "bit^2"),
    ("input.known_quantities.0.units", "parsec"), ("input.known_quantities.0.symbol", "2H"),
    ("input.known_quantities.0.symbol", "kappa", f"{V}.1.symbol"),
    ("input.unknowns.0.role", "constant"), ("input.unknowns.0.role", "input"),
    ("input.unknowns.0.symbol", "kappa2"), ("input.unknowns.0.units", "bit"),
    ("input.unknowns.0.bounds", [2, 1]), ("input.unknowns.0.bounds", [1]),
    ("input.unknowns.0.bounds", [0, 2]), ("input.unknowns.0.bounds", [1, 2]),
    ("input.unknowns.0.scale", "cubic"), ("input.unknowns.1.symbol", "kappa"),
    ("input.hard_constraints.0.expression", "H"), ("input.hard_constraints.0.expression", "H >= 0 >= 1"),
    ("input.hard_constraints.0.expression", "H >= h"), ("input.hard_constraints.0.expression", "H != 0"),
    ("input.hard_constraints.0.tolerance", -1.0), ("input.objective", {"expression": "Q"},
     "input.objective.expression"), ("input.objective", {"expression": "H", "sense": "best"},
     "input.objective.sense"), ("modeling", GONE), ("modeling.model_class", "DDE"),
    ("modeling.model_class", "SDE"), ("modeling.model_class", "PDE"), ("modeling.model_class", "hybrid"),
    ("modeling.model_class", "algebraic"), ("modeling.independent", GONE),
    ("modeling.independent.symbol", "H"), ("modeling.independent.units", "layer)"),
    ("modeling.independent.units", "layer+1"), ("modeling.independent.stop", GONE),
    ("modeling.independent.stop", -1), ("modeling.independent.points", 1),
    ("modeling.independent.points", 2.5), ("modeling.independent.points", 10**9),
    ("modeling.variables", [], ""), ("modeling.variables", {}), (f"{V}.0.role", "State"),
    (f"{V}.0.symbol", GONE), (f"{V}.0.symbol", "lambda"), (f"{V}.0.symbol", "exp"),
    (f"{V}.0.symbol", "kappa", f"{V}.1.symbol"), (f"{V}.0.value", 3.0), (f"{V}.1.value", GONE),
    (f"{V}.1.value", "2*3"), (f"{V}.1.value", float("nan")), (f"{V}.4.value", GONE),
    (f"{V}.4.value", "H"), (f"{V}.4.value", "l +"), (f"{V}.0.unit", "bit"), (f"{V}.0.units", "-2*bit"),
    (f"{V}.0.units", "bit**x"), ("modeling.equations", []), ("modeling.equations.0.id", GONE),
    ("modeling.equations.0.lhs", "dH/dt"), ("modeling.equations.0.lhs", "H"),
    ("modeling.equations.0.lhs", "dQ/dl"), ("modeling.equations.0.lhs", "dkappa/dl"),
    ("modeling.equations.0.rhs", "-kapa*H"), ("modeling.equations.0.rhs", "kappa H"),
    ("modeling.equations.0.rhs", ""), ("modeling.equations.0.rhs", "x" * 1001),
    ("modeling.equations.0.rhs", "__import__('os').system('true')"),
    ("modeling.equations.0.rhs", "H.__class__"), ("modeling.equations.0.rhs", "H**9**9**9"),
    ("modeling.equations.0.rhs", "(" * 90 + "H" + ")" * 90 + "("), ("modeling.equations.0.rhs", 3.0),
    ("modeling.equations.0.noise", "0.1", "modeling.model_class"),
    ("modeling.equations.0.mechanism_link", GONE), ("modeling.equations.0.novelty_tag", "novel"),
    ("modeling.equations.0.evidence_citations", ["Nobody1999"], "modeling.equations.0.evidence_citations.0"),
    ("modeling.initial_conditions", []), ("modeling.initial_conditions.0.symbol", "kappa"),
    ("modeling.initial_conditions.0.value", "H"), ("modeling.initial_conditions.0.value", GONE),
    ("modeling.boundary_conditions", [{"symbol": "H", "kind": "no-flux"}]),
    ("modeling.events", [{"id": "a", "at": 5, "set": {"S": 0}}], "modeling.model_class"),
    ("modeling.conserved", [{"id": "a", "expression": "H +"}], "modeling.conserved.0.expression"),
    ("modeling.measurements.0.noise", GONE), ("modeling.measurements.0.noise.size", 0),
    ("modeling.measurements.0.noise.kind", "uniform"), ("modeling.measurements.0.expression", "y_H"),
    ("modeling.measurements.0.symbol", "H"),
    ("modeling.conditions", [{"id": "a", "set": {"Q": 1.0}}], "modeling.conditions.0.set.Q"),
    ("modeling.conditions", [{"id": "a", "set": {}}], "modeling.conditions.0.set"),
    ("method_selection", {"tolerance": 0.0}, "method_selection.tolerance"),
    ("method_selection", {"paths": 0}, "method_selection.paths"),
    ("solution_and_analysis.tasks", ["dream"], "solution_and_analysis.tasks.0"),
    ("solution_and_analysis.sensitivity.output", "kappa"),
    ("solution_and_analysis.sensitivity.ranges.0.symbol", "H"),
    ("solution_and_analysis.sensitivity.ranges.0.low", 9.0, "solution_and_analysis.sensitivity.ranges.0"),
    ("solution_and_analysis.counterfactuals.0.expect", "more"),
    ("solution_and_analysis.counterfactuals.0.output", "nothing"),
    ("solution_and_analysis.counterfactuals.1.id", "faster"),
    ("validation.fit_quality.0.measurement", "H"), ("validation.fit_quality.0.metric", "mse"),
    ("output_contract", {"sections": ["poem"]}, "output_contract.sections.0"),
    ("novelty_assurance.prior_work", [{"id": "A"}], "novelty_assurance.prior_work.0.title"),
    ("novelty_assurance.prior_work", [{"id": "A", "title": "a", "year": 20}],
     "novelty_assurance.prior_work.0.year"),
]  # fmt: skip
ODE += [  # of other kinds
    (f"{V}.0.symbol", {"a": [{"b": 1}]}), (f"{V}.1.value", [0.1]), (f"{V}.1.value", float("-inf")),
    (f"{V}.1.symbol", "kappa\n"), (f"{V}.1.symbol", "\u03ba"), ("modeling.equations.0", [[[]]]),
    ("modeling.equations.0.rhs", "-\u03ba*H"), ("modeling.equations.0.rhs", "-kappa*(H - \uff11)"),
    ("modeling.equations.0.rhs", "-kappa*H*1e400"), ("modeling.equations.0.rhs", "-kappa*H*1j"),
    ("modeling.equations.0.rhs", "-kappa*H/0"), ("modeling.equations.0.rhs", "-kappa*H/(1 - 1)"),
    ("modeling.equations.0.rhs", "-kappa*H*0**(-1)"), (f"{V}.0.units", "bit**(1/0)"),
    (f"{V}.0.units", "bit" + "*bit/bit" * 120), ("metadata.title", "\ud800"),
    ("input.unknowns.1.bounds", [0.5, 0.5]), ("modeling.independent.stop", 1e-320),
    ("modeling.independent", {"symbol": "l", "units": "layer", "start": 1e16, "stop": 1e16 + 2},
     "modeling.independent.stop"), ("modeling.measurements.0.noise.size", 1e-320),
    ("method_selection", {"tolerance": 1e-300}, "method_selection.tolerance"),
    ("modeling.measurements.0.noise.size", float("inf")),
    ("input.hard_constraints.0.tolerance", float("nan")),
]  # fmt: skip
PDE = [
    ("modeling.domain", GONE, "modeling.boundary_conditions"), ("modeling.domain.stop", 0),
    ("modeling.domain.kind", "torus"), ("modeling.domain.cells", 3), ("modeling.domain.cells", 1),
    ("modeling.boundary_conditions", []),
    ("modeling.boundary_conditions.0.kind", "fixed", "modeling.boundary_conditions.0"),
    ("modeling.boundary_conditions.0.start", 1.0, "modeling.boundary_conditions.0"),
    ("modeling.domain.kind", "ring", "modeling.boundary_conditions"),
    ("modeling.equations.0.rhs", "d(u, l)"), ("modeling.equations.0.rhs", "d(d(d(u, x), x), x)"),
]  # fmt: skip
HYBRID = [
    ("modeling.events.0.at", 50), ("modeling.events.0.set.F", "Q"), ("modeling.events.0.set", {"G": 1.0},
     "modeling.events.0.set.G"), ("modeling.events", [], "modeling.model_class"),
]  # fmt: skip
CASES = [(name, *(each if len(each) == 3 else (*each, each[0]))) for name, rows in
         {"E1": ODE, "context_diffusion": PDE, "E5": HYBRID}.items() for each in rows]  # fmt: skip


@cache
def content_of(name: str):
    return read(DATA / f"{name}.yaml")


def broken(name: str, place: str, value):
    """The content of a document with one place changed."""
    content = deepcopy(content_of(name))
    *parents, last = (int(key) if key.isdigit() else key for key in place.split("."))
    inner = content
    for key in parents:
        inner = inner[key]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    return content


def said_of(path) -> str:
    """The sentence by which a file is refused."""
    with pytest.raises(ValueError) as error:
        surrogates.load(path)
    text = str(error.value)
    assert re.fullmatch(r"expected [^\n]+, got [^\n]+; [^\n]+\.", text), text
    assert len(text) < 420
    return text


def test_a_hundred_broken_documents_are_refused_with_their_path(tmp_path):
    path, wrong = tmp_path / "a.json", {}
    assert len(CASES) >= 100
    for name, place, value, named in CASES:
        path.write_text(json.dumps(broken(name, place, value)))
        said = said_of(path)
        at = re.sub(r"\.(\d+)", r"[\1]", f"$.{named}") if named else "$"
        if f"at {at}, got" not in said and not said.startswith(
            f"expected at least 1 entries or characters at {at}"
        ):
            wrong[place, repr(value)[:30]] = said
    assert not wrong, "\n".join(f"{k}: {v}" for k, v in wrong.items())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "JSON or YAML"),
        ("[" * 50 + "]" * 50, "at most 40 levels"),
        ("a: &a [1]\nb: *a", "no references"),
        ("a: 1\na: 2", "each key once"),
        ("1: 2", "keys that are text"),
        ("!!python/object/apply:os.system ['true']", "JSON or YAML"),
        ("- 1", "an object at $"),
        ("", "an object at $"),
        ("a: 1" + " " * 500_000, "bytes at $"),
        ("a: [", "JSON or YAML"),
    ],
)
def test_hostile_files_are_refused(tmp_path, text, words):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert words in said_of(path)


def test_yaml_and_json_say_the_same_and_one_hash_names_both(tmp_path):
    content = broken("E1", "metadata.title", "another")
    (tmp_path / "a.json").write_text(json.dumps(content))
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    one, other = (surrogates.load(tmp_path / name) for name in ("a.json", "a.yaml"))
    assert one.digest == other.digest != surrogates.load("E1").digest


def test_numbers_of_yaml_may_have_exponents_without_a_point(tmp_path):
    text = (DATA / "E1.yaml").read_text().replace("value: 0.1,", "value: 1e-1,")
    (tmp_path / "a.yaml").write_text(text)
    assert surrogates.load(tmp_path / "a.yaml").model.numbers["kappa"] == 0.1


def test_the_schema_describes_what_is_read():
    schema = surrogates.schema()
    assert {*schema["required"]} == {"schema_version", "metadata", "input", "modeling"}
    assert schema["properties"].keys() >= {"validation", "output_contract", "novelty_assurance"}
    assert schema["version"] == "1.0" and json.dumps(schema)


def test_a_circle_of_outputs_is_refused_where_it_begins(tmp_path):
    content, path = read(DATA / "E1.yaml"), tmp_path / "a.json"
    for left, right in (("p", "q"), ("q", "p + H")):
        content["modeling"]["variables"].append({"symbol": left, "role": "output", "units": "bit"})
        rows = {"mechanism_link": "", "novelty_tag": "new"}
        content["modeling"]["equations"].append({"id": left, "lhs": left, "rhs": right, **rows})
    path.write_text(json.dumps(content))
    assert "at $.modeling.equations[1], got a circle through p" in said_of(path)


def test_units_that_cancel_wrongly_are_told(tmp_path):
    path = tmp_path / "a.json"
    rhs = "-kappa*(H - H_min)*S/S*kappa/gamma*gamma"
    path.write_text(json.dumps(broken("E1", "modeling.equations.0.rhs", rhs)))
    (found,) = surrogates.load(path).check().problems
    assert "bit/layer and " in found and "bit/layer**2" in found


def test_data_that_are_none_are_refused(tmp_path):
    """Each by one sentence; what was not measured, and what was measured twice, is taken as it is."""
    model, ls = surrogates.load("E2").model, np.arange(3.0)
    path = tmp_path / "a.csv"

    def said(data) -> str:
        if isinstance(data, str):
            path.write_text(data)
            data = path
        with pytest.raises(ValueError) as error:
            series_of(model, data)
        text = str(error.value)
        assert re.fullmatch(r"expected [^\n]+, got [^\n]+; [^\n]+\.", text) and len(text) < 220, (
            text
        )
        return text

    assert "check its path" in said("")
    assert "rows of data" in said("l,y_a\n") and "rows of data" in said({"l": [], "y_a": []})
    assert "one column of y_a" in said("l,y_a,y_a\n0,1,2\n")
    assert "name them so" in said(json.dumps({"a": "b" * 999})) and "name them so" in said(
        "l;y_a\n0;1\n"
    )
    assert "got text" in said('l,y_a\n"0,5","0,1"\n')
    assert "complex" in said({"l": ls, "y_a": 1j * ls})
    assert "finite" in said({"l": ls, "y_a": ls * np.nan}) and "finite" in said(
        {"l": ls, "y_a": ls + np.inf}
    )
    assert "times from 0 on" in said({"l": ls * np.nan, "y_a": ls})
    (series,) = series_of(model, {"l": [0.0, 1.0, 1.0], "y_a": [0.1, np.nan, 0.3]})
    np.testing.assert_array_equal(series.values["y_a"], [0.1, np.nan, 0.3])
