"""Docstrings, and the numbers in what people read: where they stand, and what holds them."""

import ast
import inspect
import re
import textwrap
from collections import deque
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
HELD = Path(__file__).with_name("held_numbers.txt")
CODE = [p for room in ("meanfield", "paper_figs") for p in sorted((ROOT / room).rglob("*.py"))]
# What is no claim about the world: code, addresses, places in what is cited, levels of intervals.
QUOTED = re.compile(
    r"`[^`]*`|```.*?```|https?://\S+|\]\([^)]*\)|10\.\d{4}/\S+|\b\d{4}\.\d{4,5}\b"
    r"|\b95 %|\b(?:theorem|section|remark|figure|fig\.|lemma|Python) \d+(?:\.\d+)*"
    r"|<!-- benchmarks:begin.*:end -->",
    re.DOTALL | re.IGNORECASE,
)
UNITS = r"%|percent|times|[mun]?s\b|[GM]i?B|minutes?|seconds?|hours?|bits?|digits?"
# Decimals, powers, thousands, whole numbers that are followed by a unit, and those from 4 on that a name
# is said to equal, as in n = 32: where something was measured. Fewer are dimensions and cases.
NUMBER = re.compile(
    r"(?<![\w./^{])(?:\d*\.\d+(?:e-?\d+)?|\d+e-?\d+|\d+\^-?\d+|\d{1,3}(?:,\d{3})+"
    rf"|\d+(?= ?(?:{UNITS})))(?![\w]|\.\d)"
    r"|(?<![\w.])[A-Za-z]\w* = (?:[4-9]|\d{2,})(?![\w/^]|[.,]\d)"
)


@cache
def read(path: Path) -> tuple[tuple[str, ...], frozenset[float]]:
    """Docstrings and constants of a file, which is parsed once and whose tree is let go."""
    tree = ast.parse(path.read_text())
    known = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    sizes = frozenset(abs(float(n)) for n in known if isinstance(n, int | float))
    found, waiting = [], deque([tree])
    while waiting:  # statements alone, a tenth of all nodes
        node = waiting.popleft()
        alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if alone and isinstance(node.value.value, str):
            found.append(inspect.cleandoc(node.value.value))
        for part in ("body", "handlers", "orelse", "finalbody", "cases"):
            waiting.extend(getattr(node, part, ()))
    return tuple(found), sizes


def docstrings(path: Path) -> tuple[str, ...]:
    """Every string that stands alone in a file: of modules, classes, functions and what is assigned."""
    return read(path)[0]


def blocks(text: str) -> list[str]:
    """The parts of a docstring that are indented by four: equations and code."""
    found = re.findall(r"(?:^    .*\n?(?:[ \t]*\n)*)+", text, re.MULTILINE)
    return [textwrap.dedent(block).strip("\n") for block in found]


def numbers(text: str) -> list[str]:
    """The numbers in prose that somebody may take for facts, as they are written."""
    lines = [line for line in text.splitlines() if not line.startswith("    ")]
    return [found.replace(" ", "") for found in NUMBER.findall(QUOTED.sub(" ", "\n".join(lines)))]


def value(number: str) -> float:
    """What a number in prose is, or the one that a name equals."""
    base, _, power = number.rpartition("=")[2].replace(",", "").partition("^")
    return float(base) ** int(power or 1)


def constants(path: Path) -> frozenset[float]:
    """The sizes of all numbers in the code of a file."""
    return read(path)[1]


def in_prose() -> dict[str, set[str]]:
    """The numbers in the prose of each file that users read."""
    texts = {str(p.relative_to(ROOT)): "\n".join(docstrings(p)) for p in CODE}
    texts |= {name: (ROOT / name).read_text() for name in ("README.md", "TOUR.md")}
    found = {name: {*numbers(text)} for name, text in texts.items()}
    for name, of_file in found.items():
        if name.endswith(".py"):  # a parameter of the code beside it, such as a default
            own = constants(ROOT / name)
            of_file -= {n for n in of_file if not n.isdigit() and value(n) in own}
    return {name: of_file for name, of_file in found.items() if of_file}
