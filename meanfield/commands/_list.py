"""`meanfield list`: the studies there are, as their sources say, so that none has to be imported."""

import ast
from pathlib import Path

from rich.table import Table

from .._names import snake_case
from ._finding import announced
from ._printing import console

STUDIES = Path(__file__).parents[1] / "studies"


def list_studies(arguments: list[str]) -> int:
    """Shows the studies there are."""
    if arguments:
        from ._arguments import NoOptions, parse

        parse(NoOptions, "meanfield list", arguments)
    table = Table("study", "what it is", box=None)
    for name, sentence in studies_of_the_sources().items():
        table.add_row(name, sentence)
    for name, point in announced("meanfield.studies").items():
        table.add_row(name, f"of {point.value.partition(':')[0]}")
    console().print(table)
    return 0


def studies_of_the_sources() -> dict[str, str]:
    """The studies' names, sorted, and the first lines of their docstrings: what `available` has."""
    public = {
        alias.asname
        for node in ast.walk(_parsed(STUDIES / "__init__.py"))
        if isinstance(node, ast.ImportFrom) and node.module != "machinery"
        for alias in node.names
    }
    found = {}
    for path in STUDIES.glob("[!_]*/_*.py"):
        for node in _parsed(path).body:
            if isinstance(node, ast.ClassDef) and node.name in public:
                found[snake_case(node.name)] = (ast.get_docstring(node) or "").partition("\n")[0]
    return dict(sorted(found.items()))


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())
