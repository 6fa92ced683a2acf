"""Mathematics of SBML as expressions of a document: from a list of operations, each written out."""

import math
from typing import Any

FUNCTIONS = ("exp", "ln", "sin", "cos", "tan", "arctan", "sinh", "cosh", "tanh", "abs")
WRITTEN = {"ln": "log", "arctan": "atan"}
DEEPEST = 60
"""The most operations within each other."""


def refused(expected: str, got: str, remedy: str) -> ValueError:
    """The sentence about an element that is not read."""
    return ValueError(f"expected {expected} in SBML, got {got}; {remedy}.")


def text_of(sbml: Any, node: Any, time: str, where: str, depth: int = 0) -> str:
    """The expression, or a ValueError that names what it stands in."""
    if node is None or depth > DEEPEST:
        got = "none" if node is None else f"more than {DEEPEST} operations within each other"
        raise refused("an expression", f"{got} in the {where}", "write it otherwise")
    kind = node.getType()
    if kind == sbml.AST_NAME_TIME:
        return time
    if kind == sbml.AST_NAME:
        return node.getName()
    if kind in (sbml.AST_CONSTANT_PI, sbml.AST_CONSTANT_E):
        return repr(math.pi if kind == sbml.AST_CONSTANT_PI else math.e)
    if node.isNumber():
        value = float(node.getValue())
        if not math.isfinite(value):
            raise refused("finite numbers", f"another in the {where}", "write a number")
        return repr(value) if value >= 0 else f"({value!r})"
    inner = [
        text_of(sbml, node.getChild(k), time, where, depth + 1)
        for k in range(node.getNumChildren())
    ]
    found = _operation(sbml, kind, inner) or _function(sbml, kind, inner)
    if found is None:
        got = f"{node.getOperatorName() or node.getName() or 'an operation'} in the {where}"
        raise refused("+ - * / powers and elementary functions", got, "write it with these")
    return found


def _operation(sbml: Any, kind: int, inner: list[str]) -> str | None:
    if kind in (sbml.AST_PLUS, sbml.AST_TIMES):
        empty, sign = ("0", " + ") if kind == sbml.AST_PLUS else ("1", "*")
        return f"({sign.join(inner) or empty})"
    if kind == sbml.AST_MINUS and len(inner) in (1, 2):
        return f"(-{inner[0]})" if len(inner) == 1 else f"({inner[0]} - {inner[1]})"
    if len(inner) != 2:
        return None
    if kind == sbml.AST_DIVIDE:
        return f"({inner[0]}/{inner[1]})"
    if kind in (sbml.AST_POWER, sbml.AST_FUNCTION_POWER):
        return f"({inner[0]}**{inner[1]})"
    return None


def _function(sbml: Any, kind: int, inner: list[str]) -> str | None:
    for name in FUNCTIONS:
        if kind == getattr(sbml, f"AST_FUNCTION_{name.upper()}") and len(inner) == 1:
            return f"{WRITTEN.get(name, name)}({inner[0]})"
    if kind in (sbml.AST_FUNCTION_MIN, sbml.AST_FUNCTION_MAX) and len(inner) == 2:
        return f"{'min' if kind == sbml.AST_FUNCTION_MIN else 'max'}({inner[0]}, {inner[1]})"
    if kind == sbml.AST_FUNCTION_ROOT and len(inner) == 2:
        return f"({inner[1]}**(1/{inner[0]}))"
    if kind == sbml.AST_FUNCTION_ROOT and len(inner) == 1:
        return f"sqrt({inner[0]})"
    return None
