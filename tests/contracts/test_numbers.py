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
PARTLY = {
    *(("single", room) for room in ("energies", "observables", "measures", "landscape")),
    *(("NaN", room) for room in ("attention", "dynamics", "energies", "observables")),
    ("massless", "energies"),
}
"""Of these a third of the names here, all of them by validation."""


def cases():
    """Contract, room, whether its slow entries, and each how many-th of them."""
    for contract in CONTRACTS:
        for room in catalogue.ROOMS:
            rare, third = (contract, room) in LONG, (contract, room) in PARTLY
            name = f"{contract}-{room}"
            yield pytest.param(
                contract, room, False, 3 if third else 1, id=name, marks=[SLOW] if rare else []
            )
            yield pytest.param(contract, room, True, 1, id=f"{name}-slow entries", marks=SLOW)
            if third:
                yield pytest.param(contract, room, False, 1, id=f"{name}-all", marks=SLOW)


@pytest.mark.parametrize(("contract", "room", "slow", "every"), [*cases()])
def test_numbers_keep_the_contract(contract, room, slow, every, record_property):
    entries = [entry for entry in catalogue.entries([room]) if entry.slow == slow][::every]
    failures = {
        f"{entry.name} | {what}": why
        for entry in entries
        for what, why in CONTRACTS[contract](entry)
    }
    record_property("contracts", f"{len(entries)} names")
    check(contract, failures)
