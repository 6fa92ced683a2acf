"""Wrong arguments of every public name, as users pass them: tables in tests/catalogue/kinds.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from failures import check

SCRIPT = Path(__file__).with_name("wrong.py")
# Rooms that one process takes, and how many calls it makes at least: 3,000 and more together.
GROUPS = {
    ("geometry", "harmonics", "measures", "energies", "observables"): 1400,
    ("transport", "attention"): 1000,
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
    ): 1000,
}


@pytest.mark.parametrize(("rooms", "least"), GROUPS.items(), ids=[g[0] for g in GROUPS])
def test_wrong_arguments_are_refused_in_a_sentence(rooms, least, record_property):
    run = subprocess.run(
        [sys.executable, str(SCRIPT), *rooms], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    report = json.loads(run.stdout.splitlines()[-1])
    record_property("contracts", f"{report['names']} names, {report['calls']} calls")
    assert report["calls"] >= least
    check("wrong arguments", {" | ".join(row[:3]): row[3] for row in report["failures"]})
