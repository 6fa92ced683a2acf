"""What is known to fail, a line a failure, in known.txt: `contract | name | what`.

It is strict: what fails and is not there fails the test, and so does what is there and passes. A line
`contract | room.*` says that this room has not been recorded yet, and its test is skipped. With
RECORD_CONTRACTS=FILE in the environment every room runs, and the failures, and why, are appended to
that file: record.py does so and rewrites the table.
"""

import os
from collections.abc import Container
from pathlib import Path

import pytest

FILE = Path(__file__).parent / "known.txt"
RECORD = os.environ.get("RECORD_CONTRACTS")
ONLY = os.environ.get("CONTRACT_ROOMS", "").split()


def _rows(contract: str) -> list[str]:
    lines = [line for line in FILE.read_text().splitlines() if line and line[0] != "#"]
    rows = [line.split(" | ", 1) for line in lines]
    return [row for kind, row in rows if kind == contract]


def _pending(contract: str) -> set[str]:
    return {row.removesuffix(".*") for row in _rows(contract) if row.endswith(".*")}


def recorded(contract: str, rooms: list[str]) -> list[str]:
    """Those of the rooms that have been recorded; skips the test if none has."""
    if RECORD:
        kept = [room for room in rooms if not ONLY or room in ONLY]
    else:
        kept = [room for room in rooms if room not in _pending(contract)]
    if not kept:
        pytest.skip("not recorded yet: python tests/contracts/record.py")
    return kept


def check(contract: str, names: Container[str], failures: dict[str, str]) -> None:
    """Nothing fails but what is known to, and all that is known to fail does."""
    if RECORD:
        rows = [f"{contract} | {row} | {' '.join(why.split())}\n" for row, why in failures.items()]
        with Path(RECORD).open("a") as file:
            file.writelines(rows)
        return
    expected = {row for row in _rows(contract) if row.partition(" | ")[0] in names}
    pending = _pending(contract)
    failures = {k: v for k, v in failures.items() if k.partition(".")[0] not in pending}
    expected = {row for row in expected if row.partition(".")[0] not in pending}
    new = [f"{row}: {why}" for row, why in failures.items() if row not in expected]
    mended = sorted(expected - failures.keys())
    assert not new, "\n".join([f"{len(new)} failures of the contract on {contract}", *new])
    assert not mended, "\n".join(["passes now: drop it from known.txt", *mended])
