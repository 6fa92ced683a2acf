"""Precision, points without mass, collapse and NaN, of every public name: see numbers_of_calls.py."""

import catalogue
import pytest
from failures import check
from numbers_of_calls import CONTRACTS

SLOW = pytest.mark.slow
LONG = {
    *((contract, "transport") for contract in CONTRACTS if contract != "half"),
    *((contract, "attention") for contract in ("single", "massless", "collapse")),
    *((contract, "dynamics") for contract in ("single", "collapse")),
    ("collapse", "observables"),
}
"""A quarter of a minute or more each: another precision, shape or derivative is another compilation."""
PARTLY = "single", "massless", "collapse", "NaN"
"""Contracts that ask a quarter of the names each here, together every name once, and by validation all."""


def cases():
    """Contract, room, whether its slow entries, and which of them."""
    for contract in CONTRACTS:
        for room in catalogue.ROOMS:
            name, partly = f"{contract}-{room}", contract in PARTLY
            part = slice(PARTLY.index(contract), None, 4) if partly else slice(None)
            marks = [SLOW] if (contract, room) in LONG else []
            yield pytest.param(contract, room, False, part, id=name, marks=marks)
            yield pytest.param(contract, room, True, slice(None), id=f"{name}-slow", marks=SLOW)
            if partly:
                yield pytest.param(contract, room, False, slice(None), id=f"{name}-all", marks=SLOW)


@pytest.mark.parametrize(("contract", "room", "slow", "part"), [*cases()])
def test_numbers_keep_the_contract(contract, room, slow, part, record_property):
    entries = [entry for entry in catalogue.entries([room]) if entry.slow == slow][part]
    failures = {
        f"{entry.name} | {what}": why
        for entry in entries
        for what, why in CONTRACTS[contract](entry)
    }
    record_property("contracts", f"{len(entries)} names")
    check(contract, failures)
