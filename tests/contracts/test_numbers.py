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
CASES = [
    pytest.param(
        contract,
        room,
        slow,
        id=f"{contract}-{room}",
        marks=[SLOW] if slow or (contract, room) in LONG else [],
    )
    for slow in (False, True)
    for contract in CONTRACTS
    for room in catalogue.ROOMS
]


@pytest.mark.parametrize(("contract", "room", "slow"), CASES)
def test_numbers_keep_the_contract(contract, room, slow, record_property):
    entries = [entry for entry in catalogue.entries([room]) if entry.slow == slow]
    failures = {
        f"{entry.name} | {what}": why
        for entry in entries
        for what, why in CONTRACTS[contract](entry)
    }
    record_property("contracts", f"{len(entries)} names")
    check(contract, failures)
