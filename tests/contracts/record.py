"""Records what fails: python tests/contracts/record.py [ROOM ...] [--failures FILE]

Runs the contracts of these rooms (all by default, slow ones too) and rewrites their lines of known.txt.
`--failures` also writes a list by room: public name, input, what came out, what is right.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from catalogue import ROOMS

HERE = Path(__file__).resolve().parent

RIGHT = {
    "wrong": "a ValueError or TypeError of one sentence with a remedy, from our own frame",
    "single": "what float64 gives, to the stated multiple of epsilon, in float32; or a refusal",
    "half": "a refusal, in a sentence",
    "massless": "the same numbers and gradients as without the massless point",
    "collapse": "finite numbers, right ones, and finite gradients",
    "NaN": "NaN or an error under jit",
    "stopped eager": "an error, a false flag or NaN",
    "claimed": "`converged` only where an independent residual says so",
    "stopped jit": "an error, a false flag or NaN",
}
CONTRACTS = tuple(RIGHT)


def run(rooms: list[str]) -> list[list[str]]:
    """The failures of these rooms, as [contract, name, what, why]."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.txt"
        record.touch()
        tests = ["wrong_arguments", "numbers", "iterations"]
        files = [str(HERE / f"test_{name}.py") for name in tests]
        environment = {
            **os.environ,
            "RECORD_CONTRACTS": str(record),
            "CONTRACT_ROOMS": " ".join(rooms),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-m", "slow or not slow", *files]
        subprocess.run(command, env=environment, check=False)
        rows = [line.split(" | ", 3) for line in record.read_text().splitlines()]
    # The table of wrong arguments has one column more: name, parameter, label, why.
    return [_row(row) for row in rows if row[1].partition(".")[0] in rooms]


def _row(row: list[str]) -> list[str]:
    if row[0] != "wrong":
        return row
    label, _, why = row[3].partition(" | ")
    return [row[0], row[1], f"{row[2]} | {label}", why]


def write(rooms: list[str], failures: list[list[str]]) -> None:
    """The lines of these rooms in known.txt, anew."""
    table = HERE / "known.txt"
    old = [line for line in table.read_text().splitlines() if line]
    kept = [line for line in old if line.split(" | ")[1].partition(".")[0] not in rooms]
    new = [" | ".join(row[:3]) for row in failures]
    table.write_text("".join(f"{line}\n" for line in sorted({*kept, *new})))


def report(failures: list[list[str]]) -> str:
    """The failures by room, in words."""
    lines = ["# Failures of the contracts, by room"]
    for room in ROOMS:
        rows = [row for row in failures if row[1].partition(".")[0] == room]
        lines += ["", f"## {room}: {len(rows)}"]
        for contract in CONTRACTS:
            some = [row for row in rows if row[0] == contract]
            if some:
                lines += ["", f"{contract} ({len(some)}); right: {RIGHT[contract]}", ""]
                lines += [f"- `{name}` {what}: {why}" for _, name, what, why in some]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs, writes the table and perhaps the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rooms", nargs="*", default=list(ROOMS))
    parser.add_argument("--failures", type=Path)
    options = parser.parse_args()
    failures = run(options.rooms)
    write(options.rooms, failures)
    if options.failures:
        options.failures.write_text(report(failures))
    print(f"{len(failures)} failures")


if __name__ == "__main__":
    main()
