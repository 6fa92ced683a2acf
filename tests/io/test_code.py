"""The digest of the code that a class depends on, on a package that is edited."""

import importlib
import sys
from pathlib import Path

import pytest

from meanfield.io import code_digest

FILES = {
    "lab/__init__.py": "",
    "lab/kind.py": "import math\nfrom .room import Used\nclass Kind:\n    value = Used\n",
    "lab/room/__init__.py": "from ._used import Used as Used\nfrom ._other import Other as Other\n",
    "lab/room/_used.py": "def Used():\n    from .._later import LATER\n    return LATER\n",
    "lab/room/_other.py": "Other = 1\n",
    "lab/_later.py": "LATER = 1\n",
    "lab/whole.py": "from . import room\nclass Whole:\n    value = room.Other\n",
    "beside.py": "from helper import HELP\nimport stranger\nclass Beside:\n    value = HELP\n",
    "helper.py": "HELP = 1\n",
    "stranger.py": "",
}


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder of modules, and a function that writes one of them anew and gives the digest of a class."""
    for name, text in FILES.items():
        _write(tmp_path / name, text)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def edited(name: str, text: str, module: str, kind: str) -> str:
        _write(tmp_path / name, text)
        for known in set(sys.modules) - before:
            del sys.modules[known]
        importlib.invalidate_caches()
        return code_digest(getattr(importlib.import_module(module), kind))

    yield edited
    for known in set(sys.modules) - before:
        del sys.modules[known]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("lab/kind.py", True),
        ("lab/room/_used.py", True),
        ("lab/_later.py", True),  # imported within a function
        ("lab/room/_other.py", False),  # in the same room, but not imported
        ("lab/whole.py", False),
        ("helper.py", False),
    ],
)
def test_code_is_the_modules_that_are_reached(lab, name, matters):
    first = lab(name, FILES[name], "lab.kind", "Kind")
    assert lab(name, FILES[name], "lab.kind", "Kind") == first
    assert (lab(name, FILES[name] + "more = 1\n", "lab.kind", "Kind") != first) is matters


def test_of_a_room_that_is_imported_as_a_whole_all_matters(lab):
    first = lab("helper.py", "", "lab.whole", "Whole")
    assert lab("lab/room/_other.py", "Other = 2\n", "lab.whole", "Whole") != first


def test_a_script_depends_on_what_lies_beside_it(lab):
    first = lab("helper.py", FILES["helper.py"], "beside", "Beside")
    assert lab("helper.py", "HELP = 2\n", "beside", "Beside") != first


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n" + FILES["lab/_later.py"],
        '"""A docstring."""\n\n\nLATER = 1\n"""What it is."""\n',
        "LATER = (\n    1\n)\n",
    ],
)
def test_words_about_code_are_not_code(lab, text):
    first = lab("lab/_later.py", FILES["lab/_later.py"], "lab.kind", "Kind")
    assert lab("lab/_later.py", text, "lab.kind", "Kind") == first
    assert lab("lab/_later.py", "LATER = 1.0\n", "lab.kind", "Kind") != first


def test_a_class_without_a_file_counts_by_what_was_typed(monkeypatch):
    monkeypatch.setattr("meanfield.io._code._PACKAGE", "none")  # whose 500 files count as well
    texts = (
        "return 1",
        "return 2",
        "return [n + 1 for n in range(3)]",
        "return [n for n in range(3)]",
    )
    digests = []
    for text in [*texts, *texts]:
        scope = {"__name__": "typed"}
        exec(f"class Typed:\n    def value(self):\n        {text}\n", scope)
        digests.append(code_digest(scope["Typed"]))
    assert digests[:4] == digests[4:]
    assert len(set(digests)) == 4


def test_a_study_depends_on_what_it_uses_of_this_package():
    from meanfield import studies
    from meanfield.io._code import _own_home, _reach

    home, start = _own_home(studies.Staircase)
    reached = _reach([(start, "*")], [home])
    assert {
        "meanfield.studies.machinery._study",
        "meanfield.solve._simulate",
        "meanfield.io._json",
    } <= set(reached)
    assert not [
        name for name in reached if name.startswith(("meanfield.viz", "meanfield.commands"))
    ]
    assert "meanfield.studies.clustering._phase_diagram" not in reached
