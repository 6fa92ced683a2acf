"""Changes by one of the formulas in a source file: a sign, a factor, an index, an axis, a weight."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

SIGNS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
ORDERS = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.NotEq}
TWINS = {
    "sin": "cos",
    "cos": "sin",
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "minimum": "maximum",
    "sum": "mean",
    "mean": "sum",
    "sinh": "cosh",
    "cosh": "sinh",
    "argmax": "argmin",
    "argmin": "argmax",
    "cumsum": "cumprod",
}
MASSES = {"w", "weights", "mass", "masses", "shares", "a", "b", "wx", "wy", "share"}
AXES = {"axis", "axis1", "axis2", "in_axes", "out_axes"}
NAMES_OF_WEIGHTS = {"w", "weights", "masses", "a", "b", "shares"}


@dataclass(frozen=True)
class Change:
    """One change: what kind, on which line, and the text before and after."""

    kind: str
    line: int
    start: int
    end: int
    before: str
    after: str

    def apply(self, text: str) -> str:
        """The source with the change made."""
        raw = text.encode()
        return (raw[: self.start] + self.after.encode() + raw[self.end :]).decode()


def changes(text: str) -> list[Change]:
    """Every change of the formulas in a source text, in the order of its lines."""
    tree, raw = ast.parse(text), text.encode()
    offsets = [0]
    for line in raw.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    found = []
    for node in _formulas(tree):
        start = offsets[node.lineno - 1] + node.col_offset
        end = offsets[node.end_lineno - 1] + node.end_col_offset
        before = raw[start:end].decode()
        for kind, new in _changed(node):
            after = f"({ast.unparse(new)})"  # the operators around it may bind closer
            found.append(Change(kind, node.lineno, start, end, before, after))
    return sorted(found, key=lambda change: (change.start, change.end, change.kind, change.after))


def _formulas(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions that compute: not annotations, defaults, checks, messages or imports."""
    if isinstance(node, ast.If) and all(isinstance(part, ast.Raise) for part in node.body):
        return
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.arguments | ast.Assert | ast.Import):
        return
    if isinstance(node, ast.Call) and _is_check(node):
        return
    if isinstance(node, ast.Call) and _name(node).endswith("_like"):  # takes a shape alone
        for child in node.args[1:]:
            yield from _formulas(child)
        return
    if isinstance(node, ast.expr):
        yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _formulas(child)


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_check(call: ast.Call) -> bool:
    return _name(call).lstrip("_").startswith(("check", "guard", "require", "raise", "TypeVar"))


def _changed(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    for visit in (_sign, _factor, _order, _index, _axis, _twin, _weight, _transpose):
        yield from visit(node)


def _with(node: ast.expr, **fields) -> ast.expr:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _number(node: ast.AST) -> float | int | None:
    value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _sign(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if (
        isinstance(node, ast.BinOp)
        and type(node.op) in SIGNS
        and not any(
            isinstance(each, ast.Constant) and isinstance(each.value, str)
            for each in (node.left, node.right)
        )
    ):
        yield "sign", _with(node, op=SIGNS[type(node.op)]())
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and _number(node.operand) is None
    ):
        yield "sign", node.operand


def _factor(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(node, ast.BinOp):
        return
    for side in ("left", "right"):
        number = _number(getattr(node, side))
        if number is not None:
            new = {2: 1, 0.5: 1.0, 1: 2, 0: 1}.get(number, 2 * number)
            yield "factor", _with(node, **{side: ast.Constant(type(number)(new))})


def _order(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in ORDERS:
        yield "comparison", _with(node, ops=[ORDERS[type(node.ops[0])]()])


def _index(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(node, ast.Subscript):
        return
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for k, part in enumerate(parts):
        for new in _shifted(part):
            new_parts = [*parts[:k], new, *parts[k + 1 :]]
            whole = ast.Tuple(new_parts, ast.Load()) if len(parts) > 1 else new
            yield "index", _with(node, slice=whole)


def _shifted(part: ast.expr) -> Iterator[ast.expr]:
    if isinstance(part, ast.Slice):
        for bound in ("lower", "upper"):
            value = getattr(part, bound)
            for new in _shifted(value) if value is not None else ():
                yield _with(part, **{bound: new})
    elif isinstance(_number(part), int):
        yield ast.Constant(1 if part.value == 0 else 0)
    elif isinstance(part, ast.UnaryOp) and isinstance(_number(part.operand), int):
        yield (
            ast.Constant(0) if part.operand.value == 1 else ast.UnaryOp(ast.USub(), ast.Constant(1))
        )


def _axis(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(node, ast.Call):
        return
    for k, keyword in enumerate(node.keywords):
        if keyword.arg in AXES:
            for new in _shifted(keyword.value):
                changed = ast.keyword(keyword.arg, new)
                keywords = [*node.keywords[:k], changed, *node.keywords[k + 1 :]]
                yield "axis", _with(node, keywords=keywords)


def _twin(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        twin = TWINS.get(node.func.attr)
        if twin:
            yield "function", _with(node, func=_with(node.func, attr=twin))


def _is_mass(node: ast.AST) -> bool:
    if isinstance(node, ast.Subscript):
        return _is_mass(node.value)
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in MASSES


def _weight(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.MatMult):
        for mass, rest in ((node.left, node.right), (node.right, node.left)):
            if _is_mass(mass) and isinstance(node.op, ast.Mult):
                yield "weight", rest
    if isinstance(node, ast.Call):
        for k, keyword in enumerate(node.keywords):
            if keyword.arg in NAMES_OF_WEIGHTS and _is_mass(keyword.value):
                yield "weight", _with(node, keywords=node.keywords[:k] + node.keywords[k + 1 :])
        for k, argument in enumerate(node.args):
            if k and isinstance(argument, ast.Name) and argument.id in {"w", "weights", "masses"}:
                new = [*node.args[:k], ast.Constant(None), *node.args[k + 1 :]]
                yield "weight", _with(node, args=new)


def _transpose(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield "transpose", node.value
