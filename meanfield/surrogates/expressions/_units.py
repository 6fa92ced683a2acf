"""Units through every equation: what is added has the same, what functions take has none."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pint

from ._parse import DERIVATIVE, Expr, ExpressionError, constant_of, read_expression

BASE = [
    "layer",
    "iteration",
    "epoch",
    "token",
    "bit",
    "nat",
    "item",
    "score",
    "dollar",
    "radian",
    "second",
    "meter",
    "gram",
    "kelvin",
    "ampere",
    "mole",
    "candela",
]
"""Units of which none is a multiple of another: bits are not nats, nor iterations epochs."""
ALIASES = {"layers": "layer", "iterations": "iteration", "epochs": "epoch", "tokens": "token",
           "bits": "bit", "nats": "nat", "s": "second", "m": "meter", "K": "kelvin"}  # fmt: skip
SCALED = {"millisecond": ("second", 1e-3), "ms": ("second", 1e-3), "minute": ("second", 60.0),
          "hour": ("second", 3600.0), "kilogram": ("gram", 1e3), "kg": ("gram", 1e3),
          "kilometer": ("meter", 1e3), "km": ("meter", 1e3), "centimeter": ("meter", 1e-2),
          "byte": ("bit", 8.0)}  # fmt: skip
NONE = ("", "1", "-", "dimensionless")
POLYMORPHIC = ("abs", "min", "max")


@dataclass(frozen=True)
class Unit:
    """A unit: how many of the base units, and in which powers."""

    factor: float
    powers: tuple[tuple[str, Fraction], ...]

    def __mul__(self, other: "Unit") -> "Unit":
        powers = dict(self.powers)
        for name, power in other.powers:
            powers[name] = powers.get(name, Fraction(0)) + power
        return Unit(self.factor * other.factor, _sorted(powers))

    def __pow__(self, power: Fraction) -> "Unit":
        powers = {name: each * power for name, each in self.powers}
        return Unit(self.factor ** float(power), _sorted(powers))

    def same(self, other: "Unit") -> bool:
        """Whether numbers in the two may be added."""
        return self.powers == other.powers and math.isclose(self.factor, other.factor, rel_tol=1e-9)

    def __str__(self) -> str:
        over = "*".join(_power(n, p) for n, p in self.powers if p > 0)
        under = "".join(f"/{_power(n, -p)}" for n, p in self.powers if p < 0)
        size = "" if math.isclose(self.factor, 1.0) else f"{self.factor:g} "
        return f"{size}{over or '1'}{under}" if self.powers else f"{size}dimensionless"


PLAIN = Unit(1.0, ())


def _sorted(powers: Mapping[str, Fraction]) -> tuple[tuple[str, Fraction], ...]:
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def _power(name: str, power: Fraction) -> str:
    return (
        name
        if power == 1
        else f"{name}**{power}"
        if power.denominator == 1
        else f"{name}**({power})"
    )


@functools.cache
def _registry(base: tuple[str, ...]) -> Any:
    registry: Any = pint.UnitRegistry(None)  # pyright: ignore[reportArgumentType]
    for name in dict.fromkeys((*BASE, *base)):
        registry.define(f"{name} = [{name}]")
    for name, (of, factor) in SCALED.items():
        if name not in base:
            registry.define(f"{name} = {factor} * {of}")
    return registry


def read_unit(text: str, base: tuple[str, ...] = ()) -> Unit:
    """The unit that a text such as bit/layer or 0.001*mole/meter**3 says; `base` are units of the document's
    own.

    Raises ExpressionError for units that are not known.
    """
    if text.strip() in NONE:
        return PLAIN
    known = {*BASE, *ALIASES, *SCALED, *base}
    return _unit(read_expression(text, known), _registry(base))


def _unit(expression: Expr, registry: Any) -> Unit:
    if expression.is_Symbol:
        name = str(expression)
        quantity = (1 * registry.parse_units(ALIASES.get(name, name))).to_base_units()
        powers = {str(k): Fraction(v) for k, v in quantity.unit_items()}
        return Unit(float(quantity.magnitude), _sorted(powers))
    if expression.is_Mul:
        return functools.reduce(Unit.__mul__, (_unit(e, registry) for e in expression.args))
    number = constant_of(expression)
    if number is not None and 0 < number < math.inf:
        return Unit(number, ())
    if expression.is_Pow and (power := _fraction(expression.args[1])) is not None:
        return _unit(expression.args[0], registry) ** power
    raise ExpressionError("units such as bit/layer", str(expression)[:40], "use * / and ** alone")


def _fraction(expression: Expr) -> Fraction | None:
    number = constant_of(expression)
    return (
        None if number is None or math.isinf(number) else Fraction(number).limit_denominator(1000)
    )


def unit_of(expression: Expr, units: Mapping[str, Unit]) -> Unit | None:
    """The unit of an expression; None for zero, which has any.

    Raises ExpressionError where terms of different units are added, where an exponent or the argument of
    a function has a unit, with the two terms.
    """
    if expression.is_Symbol:
        return units[str(expression)]
    if constant_of(expression) is not None:
        return None if constant_of(expression) == 0 else PLAIN
    if expression.is_Add:
        return _common(expression.args, units, "add")
    if expression.is_Mul:
        found = [unit_of(each, units) for each in expression.args]
        known = [each for each in found if each is not None]
        return functools.reduce(Unit.__mul__, known) if len(known) == len(found) else None
    if expression.is_Pow:
        base, exponent = expression.args
        return _of_power(base, exponent, units)
    return _of_function(expression, units)


def _of_power(base: Expr, exponent: Expr, units: Mapping[str, Unit]) -> Unit | None:
    power, unit = _fraction(exponent), unit_of(base, units)
    if power is not None:
        return None if unit is None else unit**power
    _plain(exponent, "an exponent", units)
    _plain(base, "the base of a varying exponent", units)
    return PLAIN


def _of_function(expression: Expr, units: Mapping[str, Unit]) -> Unit | None:
    name = expression.func.__name__.lower()
    if expression.func == DERIVATIVE:
        unit = unit_of(expression.args[0], units)
        return None if unit is None else unit * units[str(expression.args[1])] ** Fraction(-1)
    if name in POLYMORPHIC:
        return _common(expression.args, units, f"compare in {name}")
    if name == "step":
        unit_of(expression.args[0], units)
        return PLAIN
    _plain(expression.args[0], f"the argument of {name}", units)
    return PLAIN


def _plain(expression: Expr, what: str, units: Mapping[str, Unit]) -> None:
    unit = unit_of(expression, units)
    if unit is not None and not unit.same(PLAIN):
        got = _with(expression, unit)
        raise ExpressionError(f"{what} without a unit", got, "divide it by a quantity of that unit")


def _common(terms, units: Mapping[str, Unit], verb: str) -> Unit | None:
    """The unit that all terms share."""
    found = [(term, unit_of(term, units)) for term in terms]
    known = [(term, unit) for term, unit in found if unit is not None]
    for term, unit in known[1:]:
        check_same(known[0][0], known[0][1], term, unit, f"terms of one unit to {verb}")
    return known[0][1] if known else None


def check_same(first, unit: Unit, second, other: Unit, expected: str) -> None:
    """Raises ExpressionError, which names both terms, where their units differ."""
    if unit.same(other):
        return
    remedy = "multiply one by what converts it"
    if unit.powers != other.powers:
        remedy = f"a factor in {unit * other ** Fraction(-1)} is missing in the second"
    got = f"{_with(first, unit)} and {_with(second, other)}"
    raise ExpressionError(expected, got, remedy)


def _with(expression: Expr | str, unit: Unit) -> str:
    return f"{written(expression)} {'without a unit' if unit.same(PLAIN) else f'in {unit}'}"


def written(expression: Expr | str) -> str:
    """An expression as it is shown in a sentence."""
    text = expression if isinstance(expression, str) else str(expression)
    return text if len(text) <= 60 else f"{text[:57]}..."
