"""The changes that the runner makes are the ones it claims, and nothing else."""

import ast
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from changes import changes
from selection import nearest_tests, sources

ROOT = Path(__file__).parents[2]
SOURCE = '''
"""A docstring with 1 + 1."""
def f(x, w, n: 2 + 2 = 3 + 3):
    if n < 1:
        raise ValueError(f"expected {n + 1}")
    check_weights(w + 1, n)
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
    source = ROOT / "meanfield" / "landscape" / "_growth.py"
    assert source in sources(ROOT)
    assert nearest_tests(ROOT, source, 1) == ["tests/landscape/test_growth.py"]
