"""The rules of the house that no other tool enforces."""

import ast
import builtins
import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path

import equinox as eqx
import pytest

import meanfield
from meanfield._hooks import is_default

ROOT = Path(__file__).parents[1]
FOLDERS = {"meanfield", "paper_figs", "benchmarks", "notebooks", "tests"}
BUILT = {"results", "build", "dist", "__pycache__"}
FILES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))
OWNERS = {"matplotlib": "viz", "ott": "transport", "diffrax": "solve"}
# Written by dataclasses and equinox for every class.
GENERATED = {
    *("__init__", "__post_init__", "__check_init__"),
    *("__repr__", "__eq__", "__hash__", "__replace__"),
}


def _modules() -> set[type[eqx.Module]]:
    """Every equinox.Module of ours."""
    found = set()
    for info in pkgutil.walk_packages(meanfield.__path__, "meanfield."):
        if info.name != "meanfield.__main__":
            things = vars(importlib.import_module(info.name)).values()
            found |= {t for t in things if isinstance(t, type) and issubclass(t, eqx.Module)}
    return {cls for cls in found if cls.__module__.startswith("meanfield")}


def _is_abstract(cls: type) -> bool:
    return cls.__name__.lstrip("_").startswith("Abstract")


def _concrete_methods(cls: type) -> set[str]:
    return {
        name
        for name, value in vars(cls).items()
        if (callable(value) or isinstance(value, property | classmethod | staticmethod))
        and not getattr(value, "__isabstractmethod__", False)
        and not is_default(value)
        and name not in GENERATED
        and (not name.startswith("__") or inspect.isfunction(inspect.unwrap(value)))
    }


def test_modules_are_abstract_or_final():
    for cls in _modules():
        assert _is_abstract(cls) or not inspect.isabstract(cls), f"name {cls} Abstract..."
        for base in cls.__mro__[1:]:
            if base.__module__.startswith("meanfield"):
                assert _is_abstract(base) or not issubclass(base, eqx.Module), (
                    f"{cls} extends {base}"
                )
                again = _concrete_methods(base) & vars(cls).keys()
                assert not again, f"{cls} overrides {again} of {base}"


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Everything in the syntax of a file, the module first."""
    return [*ast.walk(ast.parse(path.read_text()))]


def test_files_are_short():
    assert not [name(path) for path in FILES if path.read_text().count("\n") > 300]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_functions_are_short():
    lines = {path: path.read_text().splitlines() for path in FILES}
    assert not [
        f"{name(path)}: {node.name}"
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and _length(node, lines[path]) > 40
    ]


def test_public_things_are_documented():
    kinds = ast.FunctionDef | ast.ClassDef
    assert not [
        f"{name(path)}: {node.name}"
        for path in FILES
        if ROOT / "tests" not in path.parents
        for node in nodes(path)[0].body
        if isinstance(node, kinds) and node.name[0] != "_" and not ast.get_docstring(node)
    ]


def _length(function: ast.FunctionDef, file: list[str]) -> int:
    """Lines of code in the body, without the docstring, comments and empty lines."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    if not body:
        return 0
    lines = file[body[0].lineno - 1 : function.end_lineno]
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))


KNOWN = {"__file__", "__name__", "__path__", "__package__", "__doc__", "__spec__", *dir(builtins)}


def test_names_are_defined_where_they_are_used():
    """What no linter is asked, for it would take the axes in annotations of arrays for names."""
    unknown = {name(path): _used(nodes(path)) - _defined(nodes(path)) - KNOWN for path in FILES}
    assert not {file: names for file, names in unknown.items() if names}


def _used(tree: list[ast.AST]) -> set[str]:
    return {n.id for n in tree if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _defined(tree: list[ast.AST]) -> set[str]:
    found = set()
    for node in tree:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(name.asname or name.name).partition(".")[0] for name in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs) and node.name:
            found.add(node.name)
    return found


@pytest.mark.parametrize("library", OWNERS)
def test_each_library_has_one_importer(library):
    room = ROOT / "meanfield" / OWNERS[library]
    strangers = [
        name(path)
        for path in FILES
        if ROOT / "meanfield" in path.parents and room not in path.parents
        for node in nodes(path)
        if library in _imported(node)
    ]
    assert not strangers


def _imported(node: ast.AST) -> set[str]:
    """The top-level names of what a statement imports from elsewhere."""
    if isinstance(node, ast.Import):
        return {name.name.partition(".")[0] for name in node.names}
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return {(node.module or "").partition(".")[0]}
    return set()


OUTSIDE = sorted(
    path for room in ("paper_figs", "benchmarks", "notebooks") for path in (ROOT / room).rglob("*")
)
PRIVATE = re.compile(r"\b(?:meanfield|mf)(?:\.\w+)*\._|from meanfield[\w.]* import [^)#\n]*\b_")


def test_figures_benchmarks_and_notebooks_use_public_names():
    texts = {p: p.read_text() for p in OUTSIDE if p.suffix in (".py", ".ipynb")}
    assert len(texts) > 50
    assert not {p.name: found for p, text in texts.items() if (found := PRIVATE.findall(text))}


def test_rooms_and_verbs_are_found_by_completion():
    names = {"attention", "dynamics", "geometry", "studies", "simulate", "rollout", "__version__"}
    assert names <= set(dir(meanfield))
    assert all(hasattr(meanfield, name) for name in dir(meanfield))


def test_there_are_no_other_folders():
    visible = {p.name for p in ROOT.iterdir() if p.is_dir() and p.name[0] != "."}
    assert {name for name in visible if not name.endswith(".egg-info")} <= FOLDERS | BUILT


def test_files_of_tests_have_names_of_their_own():
    # pytest knows a file by its name alone: of two that share it, one would not be run.
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted({*names})
