"""The changes that the runner makes are the ones it claims, and it says which a test notices."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from changes import changes
from forks import changed_codes
from reached import functions_of
from reaches import Reaches
from selection import nearest_tests, sources

ROOT = Path(__file__).parents[2]
SOURCE = '''
"""A docstring with 1 + 1."""
def f(x, w, n: 2 + 2 = 3 + 3):
    if n < 1:
        raise ValueError(f"expected {n + 1}")
    check_weights(w + 1, n)
    like = zeros_like(x[0])
    return -w * x[0] + 2 * g(x, w, axis=0) @ x.T
'''
EXPECTED = {
    ("sign", "-w", "(w)"),
    ("sign", "-w * x[0]", "(-w / x[0])"),
    ("index", "x[0]", "(x[1])"),
    ("sign", "2 * g(x, w, axis=0)", "(2 / g(x, w, axis=0))"),
    ("factor", "2 * g(x, w, axis=0)", "(1 * g(x, w, axis=0))"),
    ("axis", "g(x, w, axis=0)", "(g(x, w, axis=1))"),
    ("weight", "g(x, w, axis=0)", "(g(x, None, axis=0))"),
    ("transpose", "x.T", "(x)"),
}


def test_formulas_are_changed_and_checks_messages_and_defaults_are_not():
    found = {(c.kind, c.before, c.after) for c in changes(SOURCE)}
    whole = "-w * x[0] + 2 * g(x, w, axis=0) @ x.T"
    sums = {row for row in found if row[1] == whole}
    assert {row[0] for row in sums} == {"sign"} and len(sums) == 1
    assert found - sums == EXPECTED


@pytest.mark.parametrize("change", changes(SOURCE), ids=lambda c: f"{c.kind} {c.after}")
def test_a_changed_source_is_one_that_runs_and_differs(change):
    after = change.apply(SOURCE)
    assert ast.dump(ast.parse(after)) != ast.dump(ast.parse(SOURCE))


def test_a_weight_can_be_dropped_from_a_product():
    (weight,) = [c for c in changes("y = w * x") if c.kind == "weight"]
    assert weight.apply("y = w * x") == "y = (x)"


def test_the_nearest_tests_of_a_file_are_those_that_name_it():
    source = ROOT / "meanfield" / "landscape" / "densities" / "_growth.py"
    assert source in sources(ROOT)
    assert nearest_tests(ROOT, source, 1) == ["tests/landscape/test_growth.py"]


def test_each_line_belongs_to_its_innermost_function():
    text = "A = 1\nclass B:\n    def f(x):\n        def g(y):\n            return y\n        return g\n"
    assert functions_of(text) == {4: "B.f", 5: "B.f.g", 6: "B.f"}


def test_codes_of_changed_functions_are_found_and_those_of_modules_are_not():
    text = "A = 1 + 1\ndef f(x):\n    return [x + i for i in x]\ndef g(x):\n    return x\n"
    old = compile(text, "file", "exec")
    assert changed_codes(old, compile(text.replace("1 + 1", "1 - 1"), "file", "exec")) == []
    pairs = changed_codes(old, compile(text.replace("x + i", "(x - i)"), "file", "exec"))
    assert [code.co_name for code, _ in pairs] == ["f", "<listcomp>"][: len(pairs)]
    pairs = changed_codes(old, compile(text.replace("x + i", "(i)"), "file", "exec"))
    assert [code.co_name for code, _ in pairs] in ([], ["f"])  # no closure holds x any more


def test_cheap_tests_of_the_mirrored_folder_come_first_and_refusals_last(tmp_path):
    seconds = {
        "tests/solve/test_a.py::test_far": 0.1,
        "tests/energies/test_b.py::test_dear": 3.0,
        "tests/energies/test_b.py::test_cheap[1]": 0.1,
        "tests/energies/test_b.py::test_cheap[2]": 0.1,
        "tests/energies/test_b.py::test_is_refused": 0.1,
        "tests/energies/test_b.py::test_beside": 0.1,
    }
    row = lambda test, s: {"seconds": s, "functions": [] if "beside" in test else [f"{FILE}::f"]}
    tests = {test: row(test, s) for test, s in seconds.items()}
    (tmp_path / "map.json").write_text(json.dumps({"file": {"digest": "", "tests": tests}}))
    reaches = Reaches(tmp_path, tmp_path / "map.json")
    order = [
        name.partition("::")[2]
        for name in reaches.rounds(FILE, "f", (set(), set()), [(9, 99.0)])[0]
    ]
    assert order == ["test_cheap[1]", "test_cheap[2]", "test_far", *order[3:]]
    assert order[-1] == "test_beside" and set(order[3:5]) == {"test_dear", "test_is_refused"}
    assert [
        len(group) for group in reaches.rounds(FILE, "f", (set(), set()), [(2, 99.0), (9, 0.15)])
    ] == [2, 1]


FILE = "meanfield/energies/_toy.py"
TOY = {
    "README.md": "",
    "tests/conftest.py": "import meanfield.energies._toy",
    "tests/energies/test_toy.py": """
from meanfield.energies._late import later
from meanfield.energies._toy import BASE, double

def test_toys():
    assert double(3) == 6 and later(3) == -3 and BASE == -2
""",
    "meanfield/__init__.py": "",
    "meanfield/energies/__init__.py": "",
    "meanfield/energies/_late.py": "def later(x):\n    return -x\n",
    FILE: """
def double(x):
    return 2 * x
BASE = -double(1)
def unseen(x):
    return -x
""",
}


def test_the_runner_tells_what_a_test_notices(tmp_path):
    for name, text in TOY.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    command = [sys.executable, str(Path(__file__).parent), "--root", str(tmp_path), "--stale"]
    command += ["--report", str(tmp_path / "report")]
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    rows = [json.loads(line) for line in (tmp_path / "report").read_text().splitlines()]
    survived = {row["name"] for row in rows if row["outcome"] == "survived"}
    assert done.returncode == 1, done.stderr
    assert survived == {f"{FILE} sign: -x -> (x)"}
    assert {row["outcome"] for row in rows if row["name"] not in survived} == {"killed"}
    assert len(rows) == 5
