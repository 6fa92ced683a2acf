"""Arguments read into dataclasses; what does not fit is said in one sentence."""

import contextlib
import re
from dataclasses import dataclass
from io import StringIO
from typing import Any, TypeVar

import tyro

from ._finding import UsageError

FOLDER: Any = tyro.conf.arg(metavar="DIR")
"""How a folder that has to be given is called in help."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class NoOptions:
    """No options but one."""

    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


def called(metavar: str) -> Any:
    """What a value is called in help, where its text already says what holds without it."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


def parse(kind: type[_T], program: str, arguments: list[str]) -> _T:
    """`arguments` read into `kind`; UsageError in one sentence where they do not fit."""
    panel = StringIO()
    try:
        with contextlib.redirect_stderr(panel):
            return tyro.cli(kind, prog=program, description="", args=arguments)
    except SystemExit as stop:
        if not stop.code:
            raise  # help was asked for and shown
        raise UsageError(_sentence(panel.getvalue(), program)) from None


def _sentence(panel: str, program: str) -> str:
    """What tyro says in a panel, in one line."""
    lines = [line.strip("\u2502 ") for line in panel.splitlines()]
    # Where the terminal has ASCII alone, rules are of minus signs.
    rules = [n for n, line in enumerate(lines) if re.match("[\u2500\u256d\u2570]|---", line)]
    said = _missing(" ".join(lines[rules[0] + 1 : rules[1]] if len(rules) > 1 else lines))
    near = re.search(r"Perhaps you meant:\s*(--[\w-]+)", " ".join(lines))
    hint = f"; perhaps you meant {near[1]}" if near else ""
    said = said.removeprefix("Error parsing study: ").rstrip(".")
    return f"{said}{hint}; see {program} --help"


def _missing(said: str) -> str:
    """What was left out, `DIR Folder that ... (required)`, in words; anything else as it is."""
    parts = said.partition(": ")[2].split("(required)")[:-1]
    known = [re.match(r" *((?:--[\w-]+ )?[A-Z]+(?: \.\.\.)?) (.*)", part) for part in parts]
    found = [(k[1], k[2][:1].lower() + k[2][1:].rstrip(" .")) for k in known if k]
    if not said.startswith("Missing from") or not found:
        return said
    return f"expected {', and '.join(f'{name}, {what}' for name, what in found)}, got none"
