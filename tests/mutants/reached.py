"""A plugin of pytest that writes which functions of the package each test runs, and the seconds
of a processor that it takes.

    python -m pytest -p reached ...    with tests/mutants on the path and REACHED naming a folder

Each process writes one file of JSON into the folder: test -> {"seconds": s, "functions": [...]}, each
function as path::qualified.name. A jitted function is traced by the first test that needs it: for the
others the list is short.
"""

import ast
import json
import os
import time
from collections import defaultdict
from pathlib import Path

import pytest


def functions_of(text: str) -> dict[int, str]:
    """The innermost function of each line of a source; lines that run at import have none."""
    lines: dict[int, str] = {}

    def visit(node: ast.AST, name: str, inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            named = is_function or isinstance(child, ast.ClassDef)
            below = f"{name}.{child.name}".lstrip(".") if named else name
            if is_function:
                span = range(child.body[0].lineno, child.end_lineno + 1)
                lines.update(dict.fromkeys(span, below))
            visit(child, below, inside or is_function)

    visit(ast.parse(text), "", False)
    return lines


class Reached:
    """The plugin: a measurement with one context a test."""

    def __init__(self, root: Path, folder: Path):
        import coverage  # only those who measure have it

        self.root, self.folder = root, folder
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self.cover = coverage.Coverage(data_file=None, source=[str(root / "meanfield")])
        self.cover.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        """A context of its own for each test."""
        self.cover.switch_context(item.nodeid)
        start = time.process_time()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.process_time() - start
            self.cover.switch_context("")

    def pytest_runtest_logreport(self, report):
        """A test that fails without any change kills nothing."""
        if not report.passed:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self):
        """Writes what this process saw."""
        self.cover.stop()
        data, found = self.cover.get_data(), defaultdict(set)
        for file in data.measured_files():
            path = str(Path(file).relative_to(self.root))
            names = functions_of(Path(file).read_text())
            for line, tests in data.contexts_by_lineno(file).items():
                for test in {*tests} - {""} if line in names else ():
                    found[test].add(f"{path}::{names[line]}")
        rows = {
            test: {"seconds": round(self.seconds[test], 3), "functions": sorted(names)}
            for test, names in found.items()
            if test not in self.failed
        }
        (self.folder / f"{os.getpid()}.json").write_text(json.dumps(rows))


def pytest_configure(config):
    """Not in the process that hands out tests: it runs none."""
    if not getattr(config.option, "numprocesses", None):
        folder = Path(os.environ["REACHED"])
        config.pluginmanager.register(Reached(Path(config.rootpath), folder), "reached-functions")
