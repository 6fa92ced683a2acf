"""Which tests reach a function, from runs with the plugin `reached`, and in which order to try them."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from words import Words

Subject = tuple[set[str], set[str]]
Limits = Iterable[tuple[int, float]]
"""Rounds of tests: how many, and their seconds together."""
# What checks messages, the house or files reaches formulas and holds none of their numbers.
IDLE = re.compile(
    r"refus|wrong|rejected|raises|message|enforced|expected|bad_input|contracts|checks"
)
SKIPPED = ("test_contract.py", "test_verbs.py", "test_catalogue.py", "test_mutants.py")
FOLDERS = (
    "games",
    "latents",
    "surrogates",
    "landscape",
    "solve",
    "dynamics",
    "schemes",
    "transport",
    "attention",
    "energies",
    "observables",
    "geometry",
    "harmonics",
    "measures",
    "contracts",
    "studies",
    "validation",
)


class Reaches:
    """What each test reaches: file of tests -> digest of its text, and test -> seconds, functions."""

    def __init__(self, root: Path, file: Path):
        self.rows = json.loads(file.read_text()) if file.exists() else {}
        self.tests = {
            test: row for known in self.rows.values() for test, row in known["tests"].items()
        }
        self.by_function: dict[str, set[str]] = {}
        for test, row in self.tests.items():
            for function in row["functions"]:
                self.by_function.setdefault(function, set()).add(test)
        self.words = Words(root, (test.partition("::")[0] for test in self.tests))

    def rounds(self, path: str, function: str, about: Subject, limits: Limits) -> list[list[str]]:
        """Groups of tests to try on a change in a function, whose words are `about`."""
        reaching = self._reaching(path, function)
        files = {test.partition("::")[0] for test in reaching}
        beside = {test for test in self.tests if test.partition("::")[0] in files}
        subject = Path(path).parts[1], about
        order = [*self._ordered(reaching, *subject), *self._ordered(beside - reaching, *subject)]
        found = []
        for most, seconds in limits:
            taken, spent = [], 0.0
            for test in order:
                cost = self.tests[test]["seconds"]
                if len(taken) < most and (spent + cost < seconds or not taken):
                    taken.append(test)
                    spent += cost
            order = [test for test in order if test not in taken]
            found.append(taken)
        return [group for group in found if group]

    def _reaching(self, path: str, function: str) -> set[str]:
        """The tests that ran the function, one around it, or anything of its file."""
        while function:
            if tests := self.by_function.get(f"{path}::{function}"):
                return tests
            function = function.rpartition(".")[0]
        names = [name for name in self.by_function if name.startswith(f"{path}::")]
        return {test for name in names for test in self.by_function[name]}

    def _ordered(self, tests: Iterable[str], room: str, about: Subject) -> list[str]:
        """Cheap ones of the mirrored folder that share its words first, and each test once before its
        next parameters."""

        def price(test: str) -> float:
            far = 1 if test.startswith(f"tests/{room}/") else 3
            idle = 8 if IDLE.search(test) else 1
            seconds = self.tests[test]["seconds"] + 0.3
            return seconds * far * idle / (1 + self.words.shared(about, test))

        seen: dict[str, int] = {}
        ranks = {}
        for test in sorted(tests, key=lambda test: (price(test), test)):
            name = test.partition("[")[0]
            ranks[test] = seen[name] = seen.get(name, -1) + 1
        return sorted(ranks, key=lambda test: (price(test) * 2 ** min(ranks[test], 9), test))


def digest(path: Path) -> str:
    """Of a file of tests, which is measured anew where it changes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def measure(root: Path, file: Path, folders: Iterable[str] = FOLDERS) -> None:
    """Runs with the plugin the fast tests that are not in the file yet, or that have changed."""
    rows = Reaches(root, file).rows
    for folder in folders:
        paths = sorted((root / "tests" / folder).rglob("test_*.py"))
        fresh = {str(path.relative_to(root)): digest(path) for path in paths}
        stale = [
            name
            for name, text in fresh.items()
            if rows.get(name, {}).get("digest") != text and Path(name).name not in SKIPPED
        ]
        if stale:
            print(f"{len(stale)} files of tests/{folder} are measured", flush=True)
            rows |= collected(_run(root, file.parent / "reached", stale), fresh)
            file.write_text(json.dumps(rows))


def _run(root: Path, folder: Path, files: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    paths = [str(root), str(Path(__file__).parent)]
    environment = {**os.environ, "REACHED": str(folder), "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "reached", *files]
    subprocess.run(command, cwd=root, env=environment, check=False)
    return folder


def collected(folder: Path, digests: dict[str, str]) -> dict:
    """Rows by file of tests, from what the processes of one run wrote."""
    rows: dict[str, dict] = {}
    for part in folder.glob("*.json"):
        for test, row in json.loads(part.read_text()).items():
            file = test.partition("::")[0]
            new = {"digest": digests.get(file, ""), "tests": {}}
            rows.setdefault(file, new)["tests"][test] = row
    return rows
