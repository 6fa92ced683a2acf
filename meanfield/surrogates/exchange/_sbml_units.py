"""Units of SBML as those of a document, by libsbml, which knows them of each quantity and of time."""

from typing import Any

NAMES = {
    "kilogram": "kilogram", "metre": "meter", "meter": "meter", "second": "second", "ampere": "ampere",
    "kelvin": "kelvin", "mole": "mole", "candela": "candela", "item": "item", "radian": "radian",
    "gram": "gram",
}  # fmt: skip
"""Kinds of SBML that are units of documents; those without a dimension have none."""
PLAIN = ("dimensionless", "avogadro")


def units_of(sbml: Any, each: Any) -> str:
    """The unit of a quantity; that of a number where the file does not say, or says what no document can."""
    found = each.getDerivedUnitDefinition()
    return "" if found is None or each.containsUndeclaredUnits() else _text(sbml, found)


def units_of_time(sbml: Any, inner: Any) -> str:
    """The unit of time of a model: a second where an older level says nothing."""
    name = inner.getTimeUnits() or ("time" if inner.getLevel() < 3 else "")
    own = inner.getUnitDefinition(name) if name else None
    if own is not None:
        return _text(sbml, own)
    return {"time": "second", "second": "second"}.get(name, "")


def _text(sbml: Any, definition: Any) -> str:
    plain = sbml.UnitDefinition.convertToSI(definition)
    factor, parts = 1.0, []
    for each in plain.getListOfUnits():
        kind, power = sbml.UnitKind_toString(each.getKind()), each.getExponentAsDouble()
        factor *= (each.getMultiplier() * 10.0 ** each.getScale()) ** power
        if kind in PLAIN or power == 0:
            continue
        if kind not in NAMES:
            return ""
        parts.append(NAMES[kind] if power == 1 else f"{NAMES[kind]}**({power:g})")
    # written without the digits that powers of ten leave behind
    size = [] if abs(factor - 1) < 1e-12 else [f"{factor:.12g}"]
    return "*".join([*size, *parts])
