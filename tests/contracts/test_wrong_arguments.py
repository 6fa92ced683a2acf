"""Wrong arguments of every public name, as users pass them: tables in tests/catalogue/kinds.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from failures import check

SCRIPT = Path(__file__).with_name("wrong.py")
# Rooms that one process takes, and how many calls it makes at least: 13,000 together.
GROUPS = {
    (
        "geometry",
        "harmonics",
        "measures",
        "energies",
        "observables",
        "transport",
        "attention",
    ): 5500,
    (
        "dynamics",
        "schemes",
        "solve",
        "landscape",
        "games",
        "latents",
        "surrogates",
        "viz",
        "io",
        "studies",
    ): 7500,
}


def cases():
    """A twelfth of them in each run of the tests, by one process, and all in `make validate`."""
    yield pytest.param(
        [room for rooms in GROUPS for room in rooms], sum(GROUPS.values()), 12, id="twelfth"
    )
    for rooms, least in GROUPS.items():
        yield pytest.param(rooms, least, 1, id=rooms[0], marks=pytest.mark.slow)


@pytest.mark.parametrize(("rooms", "least", "part"), [*cases()])
def test_wrong_arguments_are_refused_in_a_sentence(rooms, least, part, record_property):
    options = ["--twelfth"] if part == 12 else []
    run = subprocess.run(
        [sys.executable, str(SCRIPT), *options, *rooms], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    report = json.loads(run.stdout.splitlines()[-1])
    record_property("contracts", f"{report['names']} names, {report['calls']} calls")
    assert report["calls"] >= least / part
    check("wrong arguments", {" | ".join(row[:3]): row[3] for row in report["failures"]})
