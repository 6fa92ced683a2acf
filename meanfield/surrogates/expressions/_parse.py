"""Expressions of a document, read by a grammar of our own into sympy: nothing of them is ever run."""

import ast
import math
import re
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sympy

Expr = Any
"""A tree of sympy, whose own types do not say what its branches are."""
LONGEST = 1000
"""The most characters of an expression."""
LARGEST = 400
"""The most operations and operands of an expression."""
DEEPEST = 60
"""The most operations within each other."""
HIGHEST = 32
"""The largest exponent."""
FUNCTIONS: dict[str, tuple[Any, int]] = {
    "exp": (sympy.exp, 1),
    "log": (sympy.log, 1),
    "sqrt": (sympy.sqrt, 1),
    "sin": (sympy.sin, 1),
    "cos": (sympy.cos, 1),
    "tan": (sympy.tan, 1),
    "atan": (sympy.atan, 1),
    "sinh": (sympy.sinh, 1),
    "cosh": (sympy.cosh, 1),
    "tanh": (sympy.tanh, 1),
    "abs": (sympy.Abs, 1),
    "min": (sympy.Function("min"), 2),
    "max": (sympy.Function("max"), 2),
    "step": (sympy.Function("step"), 1),
}
"""Functions by name, and how many arguments they have; step(x) is 1 where x >= 0, else 0."""
DERIVATIVE = sympy.Function("d")
"""d(flux, x), the derivative along the axis of a field."""
LETTERS = re.compile(r"[A-Za-z0-9_+\-*/().,<>= \t\n]*")
RELATIONS = {ast.GtE: ">=", ast.LtE: "<=", ast.Gt: ">", ast.Lt: "<", ast.Eq: "=="}


class ExpressionError(ValueError):
    """What is wrong with an expression: what was expected, what was found, and the remedy."""

    def __init__(self, expected: str, got: str, remedy: str):
        self.parts = expected, got, remedy
        super().__init__(f"expected {expected}, got {got}; {remedy}.")


@dataclass(frozen=True)
class Relation:
    """left >= right, or another comparison."""

    left: Expr
    sign: str
    right: Expr

    @property
    def excess(self) -> Expr:
        """What is positive where the comparison does not hold."""
        less = self.sign in ("<", "<=")
        one, other = (self.left, self.right) if less else (self.right, self.left)
        difference = sympy.Add(one, negative(other), evaluate=False)
        return sympy.Abs(difference, evaluate=False) if self.sign == "==" else difference


def read_expression(text: str, symbols: Collection[str], axis: str | None = None) -> Expr:
    """The expression that the text says, of these symbols, as it is written: nothing is simplified.

    Numbers, names, + - * / **, and `FUNCTIONS`; with an `axis`, d(flux, axis) too, twice within each
    other at the most. Raises ExpressionError for all else, before anything is computed.
    """
    return _Reader(symbols, axis).read(_tree(text))


def read_relation(text: str, symbols: Collection[str]) -> Relation:
    """The comparison of two expressions that the text says."""
    node = _tree(text)
    if (
        not isinstance(node, ast.Compare)
        or len(node.ops) != 1
        or type(node.ops[0]) not in RELATIONS
    ):
        raise ExpressionError("a comparison of two sides", repr(_short(text)), "write it as H >= 0")
    reader = _Reader(symbols, None)
    sign = RELATIONS[type(node.ops[0])]
    return Relation(reader.read(node.left), sign, reader.read(node.comparators[0]))


def _tree(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise ExpressionError(
            f"at most {LONGEST} characters", str(len(text)), "use an output for a part"
        )
    if not LETTERS.fullmatch(text):
        strange = next(c for c in text if not LETTERS.fullmatch(c))
        remedy = (
            "write ** for powers" if strange == "^" else "use names, numbers and + - * / ** ( )"
        )
        raise ExpressionError("an expression", f"the character {strange!r}", remedy)
    try:
        with warnings.catch_warnings():  # about what is then refused
            warnings.simplefilter("ignore")
            node = ast.parse(text.strip().replace("\n", " "), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        remedy = "close what is open, and write products with *"
        raise ExpressionError("an expression", repr(_short(text)), remedy) from None
    _bound(node)
    return node


def _bound(node: ast.AST) -> None:
    """Refuses trees that are too large or too deep; it calls nothing recursively itself."""
    level, depth, count = [node], 0, 0
    while level:
        depth, count = depth + 1, count + len(level)
        if depth > DEEPEST or count > 3 * LARGEST:  # a context and an operator come with each node
            limit = f"at most {DEEPEST} levels and {LARGEST} parts"
            raise ExpressionError(limit, "more", "use outputs for its parts")
        level = [inner for each in level for inner in ast.iter_child_nodes(each)]


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:37]}..."


class _Reader:
    """Walks a tree that is known to be small."""

    def __init__(self, symbols: Collection[str], axis: str | None):
        self.symbols, self.axis, self.nested = symbols, axis, 0

    def read(self, node: ast.expr) -> Expr:
        if isinstance(node, ast.Constant):
            return _number(node.value)
        if isinstance(node, ast.Name):
            return self._symbol(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self.read(node.operand)
            return negative(inner) if isinstance(node.op, ast.USub) else inner
        if isinstance(node, ast.BinOp):
            return self._operation(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        kind = type(node).__name__.lower()
        remedy = f"use names, numbers, + - * / ** and {', '.join(FUNCTIONS)}"
        raise ExpressionError("an expression of the grammar", f"a Python {kind}", remedy)

    def _symbol(self, name: str) -> sympy.Symbol:
        if name not in self.symbols:
            remedy = (
                f"add {name} to the variables, or choose among {_short(', '.join(self.symbols))}"
            )
            raise ExpressionError("symbols that are defined", repr(name), remedy)
        return sympy.Symbol(name)

    def _operation(self, node: ast.BinOp) -> Expr:
        left, right = self.read(node.left), self.read(node.right)
        if isinstance(node.op, ast.Add):
            return sympy.Add(left, right, evaluate=False)
        if isinstance(node.op, ast.Sub):
            return sympy.Add(left, negative(right), evaluate=False)
        if isinstance(node.op, ast.Mult):
            return sympy.Mul(left, right, evaluate=False)
        if isinstance(node.op, ast.Div):
            if constant_of(right) == 0:
                raise ExpressionError("divisors other than 0", "0", "write what shall divide")
            one = sympy.Pow(right, sympy.S.NegativeOne, evaluate=False)
            return sympy.Mul(left, one, evaluate=False)
        if isinstance(node.op, ast.Pow):
            return _power(left, right)
        raise ExpressionError("+ - * / or **", type(node.op).__name__, "use these alone")

    def _call(self, node: ast.Call) -> Expr:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name == "d" and self.axis is not None and name not in self.symbols:
            return self._derivative(node)
        if name not in FUNCTIONS:
            got = f"a call of {name}" if name else "a call of what is no name"
            raise ExpressionError("a function that is known", got, f"use {', '.join(FUNCTIONS)}")
        function, count = FUNCTIONS[name]
        if len(node.args) != count or node.keywords:
            raise ExpressionError(f"{count} arguments of {name}", str(len(node.args)), "give these")
        arguments = [self.read(each) for each in node.args]
        if name == "sqrt":
            return sympy.Pow(arguments[0], sympy.S.Half, evaluate=False)
        return function(*arguments, evaluate=False)

    def _derivative(self, node: ast.Call) -> Expr:
        along = node.args[1] if len(node.args) == 2 else None
        if not isinstance(along, ast.Name) or along.id != self.axis or node.keywords:
            got = "other arguments"
            raise ExpressionError(f"d(flux, {self.axis})", got, f"write d(u, {self.axis})")
        if self.nested == 2:
            remedy = "use an equation for the inner ones"
            raise ExpressionError("two derivatives within each other at most", "three", remedy)
        self.nested += 1
        inner = self.read(node.args[0])
        self.nested -= 1
        return DERIVATIVE(inner, sympy.Symbol(self.axis))


def negative(expression: Expr) -> Expr:
    """-expression, as it is written."""
    if expression.is_Number:
        return -expression
    return sympy.Mul(sympy.S.NegativeOne, expression, evaluate=False)


def _number(value) -> Expr:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError("numbers", repr(value)[:40], "write them with digits")
    if not abs(value) <= 1e30:
        raise ExpressionError("numbers up to 1e30", "a larger one", "choose other units")
    return sympy.Integer(value) if isinstance(value, int) else sympy.Float(value)


def _power(base: Expr, exponent: Expr) -> Expr:
    number = constant_of(exponent)
    if number is not None and number < 0 and constant_of(base) == 0:
        raise ExpressionError("divisors other than 0", "a power of 0", "write what shall divide")
    if number is not None and abs(number) > HIGHEST:
        raise ExpressionError(
            f"exponents up to {HIGHEST}", f"{number:g}", "write exp(... * log(...))"
        )
    if number is None and any(map(_is_power, sympy.preorder_traversal(exponent))):
        raise ExpressionError(
            "no power within an exponent", str(exponent)[:40], "use an output for it"
        )
    return sympy.Pow(base, exponent, evaluate=False)


def _is_power(expression: Expr) -> bool:
    """Whether it is a power that is no division."""
    return expression.is_Pow and expression.args[1] != -1


def constant_of(expression: Expr) -> float | None:
    """The number that an expression without symbols is; None for others, and beyond all scale."""
    if expression.is_Number:
        return float(expression)
    if expression.free_symbols or not (expression.is_Add or expression.is_Mul or expression.is_Pow):
        return None
    found = [constant_of(each) for each in expression.args]
    parts = [each for each in found if each is not None]
    if len(parts) < len(found):
        return None
    try:
        if expression.is_Add:
            return sum(parts)
        return math.prod(parts) if expression.is_Mul else float(parts[0] ** parts[1])
    except (OverflowError, ZeroDivisionError, TypeError):
        return float("inf")
