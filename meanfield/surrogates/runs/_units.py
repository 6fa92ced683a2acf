"""Units through all that a document computes: each disagreement in a sentence with its JSON path."""

from collections.abc import Iterator
from fractions import Fraction

import sympy

from ..documents import refusal
from ..expressions import Expr, ExpressionError, Relation, Unit, check_same, read_unit, unit_of
from ._model import Model, located


def units_of(model: Model) -> dict[str, Unit]:
    """The unit of each symbol. Raises DocumentError for one that is not known."""
    document, base = model.document, (*model.document.modeling.base_units,)
    lists = {
        "$.input.known_quantities": document.input.known_quantities,
        "$.modeling.variables": document.modeling.variables,
        "$.modeling.measurements": document.modeling.measurements,
    }
    rows = [
        (f"{path}[{i}]", row.symbol, row.units)
        for path, r in lists.items()
        for i, row in enumerate(r)
    ]
    modeling = document.modeling
    rows.append(("$.modeling.independent", modeling.independent.symbol, modeling.independent.units))
    if modeling.domain is not None:
        rows.append(("$.modeling.domain", modeling.domain.symbol, modeling.domain.units))
    found = {}
    for path, symbol, text in rows:
        try:
            found[symbol] = read_unit(text, base)
        except ExpressionError as error:
            raise located(error, f"{path}.units") from None
    return found


def problems_of(model: Model) -> list[str]:
    """A sentence for each place at which units disagree."""
    units = units_of(model)
    return [problem for check in (_equations, _others) for problem in check(model, units)]


def _equations(model: Model, units: dict[str, Unit]) -> Iterator[str]:
    time = units[model.time]
    for name, expression in {**model.rates, **model.outputs}.items():
        path = f"{model.places[name]}.rhs"
        if name in model.rates:
            yield from _same(
                expression,
                units,
                f"d{name}/d{model.time}",
                units[name] * time ** Fraction(-1),
                path,
            )
        else:
            yield from _same(expression, units, name, units[name], path)
    for name, expression in model.noises.items():
        wanted = units[name] * time ** Fraction(-1, 2)
        left = f"d{name}/sqrt(d{model.time})"
        yield from _same(expression, units, left, wanted, f"{model.places[name]}.noise")


def _others(model: Model, units: dict[str, Unit]) -> Iterator[str]:
    modeling = model.document.modeling
    for name, expression in model.inputs.items():
        i = [v.symbol for v in modeling.variables].index(name)
        yield from _stated(expression, units, name, f"$.modeling.variables[{i}].value")
    for i, row in enumerate(modeling.initial_conditions):
        path = f"$.modeling.initial_conditions[{i}].value"
        yield from _stated(model.initial[row.symbol], units, row.symbol, path)
    switches = {each.id: each for each in model.switches}
    for i, event in enumerate(modeling.events):
        switch = switches.get(event.id)
        found = dict(model.events)[event.at] if event.at is not None else switches[event.id].values
        if switch is not None:
            yield from _sides(switch.when, units, f"$.modeling.events[{i}].when")
        for name, expression in found.items():
            yield from _stated(expression, units, name, f"$.modeling.events[{i}].set.{name}")
    for i, row in enumerate(modeling.measurements):
        path = f"$.modeling.measurements[{i}].expression"
        yield from _same(model.measured[row.symbol], units, row.symbol, units[row.symbol], path)
    for i, row in enumerate(modeling.conserved):
        yield from _any(model.conserved[row.id], units, f"$.modeling.conserved[{i}].expression")
    for i, row in enumerate(model.document.input.hard_constraints):
        path = f"$.input.hard_constraints[{i}].expression"
        yield from _sides(model.constraints[row.id], units, path)
    if model.objective is not None:
        yield from _any(model.objective, units, "$.input.objective.expression")


def _sides(relation: Relation, units: dict[str, Unit], path: str) -> Iterator[str]:
    """The two sides of a comparison."""
    try:
        left, right = unit_of(relation.left, units), unit_of(relation.right, units)
        if left is not None and right is not None:
            check_same(relation.left, left, relation.right, right, "sides of one unit")
    except ExpressionError as error:
        yield str(located(error, path))


def _stated(expression: Expr, units: dict[str, Unit], name: str, path: str) -> Iterator[str]:
    """A number alone is one in the units of what it is the value of."""
    if not expression.is_Number:
        yield from _same(expression, units, name, units[name], path)


def _same(
    expression: Expr, units: dict[str, Unit], left: str, wanted: Unit, path: str
) -> Iterator[str]:
    try:
        found = unit_of(expression, units)
        if found is not None:
            check_same(left, wanted, expression, found, "sides of one unit")
    except ExpressionError as error:
        yield str(located(error, path))


def _any(expression: Expr, units: dict[str, Unit], path: str) -> Iterator[str]:
    try:
        unit_of(expression, units)
    except ExpressionError as error:
        yield str(located(error, path))


def problems_of_fields(model: Model) -> list[str]:
    """Derivatives in fields without flux through the ends that are no divergence of a flux."""
    kinds = {row.symbol: row.kind for row in model.document.modeling.boundary_conditions}
    varying = {*model.states, *model.outputs, model.axis}
    return [
        refusal(
            "a divergence of fluxes in a field without flux through its ends",
            f"{model.places[name]}.rhs",
            "a derivative times what varies along the field",
            f"write that within d(..., {model.axis})",
        )
        for name, expression in model.rates.items()
        if kinds.get(name) == "no-flux" and not _is_divergence(expression, varying)
    ]


def _is_divergence(expression: Expr, varying: set) -> bool:
    """Whether outermost derivatives have no factors but constants."""
    if not _derives(expression) or _is_derivative(expression):
        return True
    if expression.is_Add:
        return all(_is_divergence(each, varying) for each in expression.args)
    if not expression.is_Mul:
        return False
    plain = [each for each in expression.args if not _derives(each)]
    rest = [each for each in expression.args if _derives(each)]
    constant = not {str(s) for each in plain for s in each.free_symbols} & varying
    return constant and len(rest) == 1 and _is_divergence(rest[0], varying)


def _is_derivative(expression: Expr) -> bool:
    return expression.is_Function and expression.func.__name__ == "d"


def _derives(expression: Expr) -> bool:
    return any(_is_derivative(each) for each in sympy.preorder_traversal(expression))
