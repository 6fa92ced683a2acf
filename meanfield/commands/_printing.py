"""Tables on the terminal: claims, facts, and what things are."""

import inspect
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_claims(claims: list[dict[str, Any]]) -> None:
    """Shows claims as a table."""
    table = Table(*("claim", "measured", "expected", "tolerance", "source", "passed"))
    for claim in claims:
        relation = "" if claim["relation"] == "==" else claim["relation"] + " "
        table.add_row(
            f"{claim['study']}: {claim['name']}" if "study" in claim else claim["name"],
            _number(claim["measured"]),
            relation + _number(claim["expected"]),
            _number(claim["tolerance"]),
            claim["source"],
            Text("yes", "green") if claim["passed"] else Text("NO", "bold red"),
        )
    console().print(table if claims else "no claims")


def print_facts(facts: dict[str, str]) -> None:
    """Shows names and what they stand for."""
    table = Table("", "", box=None, show_header=False)
    for name, value in facts.items():
        table.add_row(name, value)
    console().print(table)


def console() -> Console:
    """Where tables are shown."""
    # What is piped into a file is not to be broken at 80 columns.
    width = None if sys.stdout.isatty() else 160
    return Console(width=width, markup=False, highlight=False)


def _number(value: float | str) -> str:
    return f"{float(value):.6g}"  # a NaN is stored as a string


def first_line(thing: Any) -> str:
    """What `thing` is, by the first line of its docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]
