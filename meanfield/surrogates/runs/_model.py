"""A document made ready to run: each expression read, each symbol known, each state with an equation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import sympy

from ..documents import Document, DocumentError, Event, defined_by, digest, refusal
from ..expressions import Expr, ExpressionError, Relation, read_expression, read_relation


@dataclass(frozen=True, eq=False)
class Switch:
    """An event that happens whenever a condition begins to hold, and what it sets."""

    id: str
    when: Relation
    values: dict[str, Expr]


@dataclass(frozen=True, eq=False)
class Model:
    """The expressions of a document by the symbols that they define.

    `numbers` are known quantities and parameters, `inputs` functions of the independent variable,
    `rates` the right-hand sides of states and `noises` what multiplies their dB, `outputs` in an order in
    which each needs those before it alone, `places` the JSON path of each symbol's definition.
    Those of documents that say the same are equal, and share compiled programs.
    """

    document: Document
    numbers: dict[str, float]
    inputs: dict[str, Expr]
    rates: dict[str, Expr]
    noises: dict[str, Expr]
    outputs: dict[str, Expr]
    initial: dict[str, Expr]
    events: tuple[tuple[float, dict[str, Expr]], ...]
    switches: tuple[Switch, ...]
    constraints: dict[str, Relation]
    conserved: dict[str, Expr]
    measured: dict[str, Expr]
    objective: Expr | None
    units: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Model) and self.digest == other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        """The hash of what the document says: all else here follows from it."""
        return digest(self.document)

    @property
    def states(self) -> tuple[str, ...]:
        """The states, in the order of the document."""
        return (*self.rates,)

    @property
    def time(self) -> str:
        """The symbol of the independent variable."""
        return self.document.modeling.independent.symbol

    @property
    def axis(self) -> str | None:
        """The symbol of the axis of fields, if there are fields."""
        domain = self.document.modeling.domain
        return None if domain is None else domain.symbol


class Builder:
    """Reads the expressions of a document, each with the symbols that may stand in it."""

    def __init__(self, document: Document):
        modeling = document.modeling
        self.document = document
        self.roles: dict[str, str] = {k.symbol: "known" for k in document.input.known_quantities}
        self.roles |= {v.symbol: v.role for v in modeling.variables}
        self.roles[modeling.independent.symbol] = "time"
        if modeling.domain is not None:
            self.roles[modeling.domain.symbol] = "axis"

    def names(self, *roles: str) -> list[str]:
        """The symbols of these roles."""
        return [name for name, role in self.roles.items() if role in roles]

    def read(self, value: str | float, path: str, *roles: str, axis: str | None = None) -> Expr:
        """The expression at a path, of symbols of these roles."""
        if isinstance(value, int | float):
            return sympy.Float(value)
        try:
            return read_expression(value, self.names(*roles), axis)
        except ExpressionError as error:
            raise located(error, path) from None


def located(error: ExpressionError, path: str) -> DocumentError:
    """The error with the path of the expression."""
    expected, got, remedy = error.parts
    return DocumentError(refusal(expected, path, got, remedy))


ALL = ("known", "parameter", "input", "state", "output", "time", "axis")
FIXED = ("known", "parameter")


def build(document: Document) -> Model:
    """The model of a document whose symbols are consistent.

    Raises DocumentError for an expression that is none, or of symbols that are not known where it stands.
    """
    builder, modeling = Builder(document), document.modeling
    rates, noises, outputs, places = _equations(builder)
    return Model(
        document=document,
        numbers=_numbers(document),
        inputs=_inputs(builder),
        rates=rates,
        noises=noises,
        outputs=_ordered(outputs, places),
        initial=_initial(builder),
        events=_events(builder),
        switches=_switches(builder),
        constraints=_constraints(builder),
        conserved={
            c.id: builder.read(c.expression, f"$.modeling.conserved[{i}].expression", *ALL)
            for i, c in enumerate(modeling.conserved)
        },
        measured={
            m.symbol: builder.read(m.expression, f"$.modeling.measurements[{i}].expression", *ALL)
            for i, m in enumerate(modeling.measurements)
        },
        objective=None
        if document.input.objective is None
        else builder.read(
            document.input.objective.expression, "$.input.objective.expression", *ALL
        ),
        units=_units(document),
        places=places,
    )


def _numbers(document: Document) -> dict[str, float]:
    known = {k.symbol: k.value for k in document.input.known_quantities}
    given = document.modeling.variables
    return known | {v.symbol: float(v.value or 0.0) for v in given if v.role == "parameter"}


def _units(document: Document) -> dict[str, str]:
    modeling, domain = document.modeling, document.modeling.domain
    units = {k.symbol: k.units for k in document.input.known_quantities}
    units |= {v.symbol: v.units for v in modeling.variables}
    units[modeling.independent.symbol] = modeling.independent.units
    return units if domain is None else units | {domain.symbol: domain.units}


def _inputs(builder: Builder) -> dict[str, Expr]:
    return {
        v.symbol: builder.read(v.value, f"$.modeling.variables[{i}].value", *FIXED, "time")
        for i, v in enumerate(builder.document.modeling.variables)
        if v.role == "input" and v.value is not None
    }


def _equations(builder: Builder):
    """Right-hand sides and noises of states, those of outputs, and where each stands."""
    rates, noises, outputs, places = {}, {}, {}, {}
    axis = builder.names("axis")
    for i, each in enumerate(builder.document.modeling.equations):
        symbol, path = defined_by(each.lhs), f"$.modeling.equations[{i}]"
        of_state = builder.roles.get(symbol) == "state"
        along = axis[0] if axis and of_state else None
        expression = builder.read(each.rhs, f"{path}.rhs", *ALL, axis=along)
        places[symbol] = path
        (rates if of_state else outputs)[symbol] = expression
        if each.noise is not None:
            noises[symbol] = builder.read(each.noise, f"{path}.noise", *ALL)
    order = builder.names("state")
    return {name: rates[name] for name in order}, noises, outputs, places


def _ordered(outputs: Mapping[str, Expr], places: Mapping[str, str]) -> dict[str, Expr]:
    """The outputs so that each comes after those that it needs."""
    left, done = dict(outputs), {}
    while left:
        ready = [n for n, e in left.items() if not {str(s) for s in e.free_symbols} & left.keys()]
        if not ready:
            name = next(iter(left))
            got = f"a circle through {name}"
            remedy = "make one of them a state"
            raise DocumentError(
                refusal("outputs that follow one from another", places[name], got, remedy)
            )
        done |= {name: left.pop(name) for name in ready}
    return done


def _initial(builder: Builder) -> dict[str, Expr]:
    rows = builder.document.modeling.initial_conditions
    return {
        row.symbol: builder.read(
            row.value, f"$.modeling.initial_conditions[{i}].value", *FIXED, "axis"
        )
        for i, row in enumerate(rows)
    }


def _events(builder: Builder) -> tuple[tuple[float, dict[str, Expr]], ...]:
    rows = enumerate(builder.document.modeling.events)
    found = [(each.at, _sets(builder, i, each)) for i, each in rows if each.at is not None]
    return tuple(sorted(found, key=lambda pair: pair[0]))


def _switches(builder: Builder) -> tuple[Switch, ...]:
    found = []
    for i, each in enumerate(builder.document.modeling.events):
        if each.when is not None:
            when = _relation(builder, each.when, f"$.modeling.events[{i}].when")
            if when.sign == "==":
                path, remedy = f"$.modeling.events[{i}].when", "write it with <= or >="
                raise DocumentError(refusal("a condition that begins to hold", path, "==", remedy))
            found.append(Switch(each.id, when, _sets(builder, i, each)))
    return tuple(found)


def _sets(builder: Builder, i: int, event: Event) -> dict[str, Expr]:
    return {
        name: builder.read(value, f"$.modeling.events[{i}].set.{name}", *ALL)
        for name, value in event.set.items()
    }


def _constraints(builder: Builder) -> dict[str, Relation]:
    rows = enumerate(builder.document.input.hard_constraints)
    path = "$.input.hard_constraints[{}].expression"
    return {each.id: _relation(builder, each.expression, path.format(i)) for i, each in rows}


def _relation(builder: Builder, text: str, path: str) -> Relation:
    try:
        return read_relation(text, builder.names(*ALL))
    except ExpressionError as error:
        raise located(error, path) from None
