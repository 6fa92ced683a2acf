"""The section of a document that holds the model: variables, equations, and what starts and bounds them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

LONGEST = 1000
"""The most characters of an expression."""

Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60)]
Text = Annotated[str, StringConstraints(max_length=20_000)]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
Number = Annotated[float, Field(ge=-1e30, le=1e30)]
Count = Annotated[int, Field(ge=2, le=100_001)]


class Part(BaseModel):
    """A part of the model, which has no keys but those that it names."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Independent(Part):
    """What states change along: depth in layers, training in iterations. Saved at even points."""

    symbol: Symbol
    units: Text
    start: Number = 0.0
    stop: Number
    points: Count = 101


class Domain(Part):
    """The axis of a field: an interval with ends, or a ring without, in cells of equal size."""

    symbol: Symbol
    units: Text
    kind: Literal["interval", "ring"]
    start: Number = 0.0
    stop: Number
    cells: Annotated[int, Field(ge=4, le=4096)] = 64


class Variable(Part):
    """A symbol of the equations. Parameters have a number, inputs a number or an expression."""

    symbol: Symbol
    role: Literal["state", "parameter", "input", "output"]
    units: Text
    value: Number | Expression | None = None
    description: Text = ""


class Equation(Part):
    """lhs = rhs: dH/dl for a state, the symbol alone for an output. `noise` times dB is added to a state."""

    id: Symbol
    lhs: Text
    rhs: Expression
    noise: Expression | None = None
    mechanism_link: Text
    novelty_tag: Literal["baseline", "variant", "borrowed", "new"]
    evidence_citations: list[Symbol] = []


class Initial(Part):
    """Where a state starts: a number in its units, or an expression."""

    symbol: Symbol
    value: Number | Expression


class Boundary(Part):
    """What a field does at the ends of an interval: no flux through them, or fixed values."""

    symbol: Symbol
    kind: Literal["no-flux", "fixed"]
    start: Number | None = None
    stop: Number | None = None


class Event(Part):
    """States set anew, or inputs and parameters changed: the start of a phase. It is at a time, or each time
    that a condition of the states, such as `h <= 0`, begins to hold. No step of the
    solver is then longer than that of the method, or by default than from one saved point to the next."""

    id: Symbol
    at: Number | None = None
    when: Expression | None = None
    set: dict[Symbol, Number | Expression]


class Conserved(Part):
    """A quantity that keeps its value along a run, relative to its size, to within a tolerance."""

    id: Symbol
    expression: Expression
    tolerance: Annotated[float, Field(gt=0)] = 1e-6


class Noise(Part):
    """The error of a measurement: normal of this size, or normal of this size in the logarithm."""

    kind: Literal["normal", "lognormal"] = "normal"
    size: Annotated[float, Field(ge=1e-30, le=1e30)]


class Measurement(Part):
    """What is observed: an expression of states and outputs, with its error."""

    symbol: Symbol
    expression: Expression
    units: Text
    noise: Noise


class Condition(Part):
    """An experiment: quantities that differ from those of the model."""

    id: Symbol
    set: dict[Symbol, Number]


class Modeling(Part):
    """The model."""

    model_class: Literal["ODE", "SDE", "PDE", "algebraic", "hybrid"]
    base_units: list[Symbol] = []
    independent: Independent
    domain: Domain | None = None
    variables: Annotated[list[Variable], Field(min_length=1, max_length=200)]
    equations: Annotated[list[Equation], Field(min_length=1, max_length=200)]
    initial_conditions: list[Initial] = []
    boundary_conditions: list[Boundary] = []
    events: Annotated[list[Event], Field(max_length=100)] = []
    conserved: list[Conserved] = []
    measurements: list[Measurement] = []
    conditions: list[Condition] = []
    assumptions: list[Text] = []


def defined_by(lhs: str) -> str:
    """The symbol that an equation defines: H of dH/dl and of H."""
    top = lhs.partition("/")[0].strip()
    return top[1:] if "/" in lhs and top.startswith("d") else top
