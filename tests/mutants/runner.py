"""Runs the tests that are nearest to a mutant, in a temporary copy of the repository."""

import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from changes import Change

PARTS = ("meanfield", "tests", "paper_figs", "pyproject.toml", "README.md")


@dataclass(frozen=True)
class Mutant:
    """A change of one file, by its path from the root of the repository."""

    path: str
    change: Change

    @property
    def name(self) -> str:
        """What to call it in a list of exceptions: it survives edits elsewhere in the file."""
        change = self.change
        return f"{self.path} {change.kind}: {_line(change.before)} -> {_line(change.after)}"


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: killed by which test, survived, or timed out."""

    mutant: Mutant
    outcome: str
    test: str
    seconds: float
    diff: str


def _line(text: str) -> str:
    return " ".join(text.split())


@contextmanager
def copy_of(root: Path):
    """A temporary copy of what the tests need, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        for part in PARTS:
            source = root / part
            if source.is_dir():
                skip = shutil.ignore_patterns("__pycache__", "*.png")
                shutil.copytree(source, Path(folder) / part, ignore=skip)
            elif source.exists():
                shutil.copy(source, Path(folder) / part)
        yield Path(folder)


def judge(root: Path, mutant: Mutant, tests: list[str], first: int, timeout: float) -> Verdict:
    """Runs the first tests on the mutant, the others if these pass, and once more without the change
    the test that fails."""
    start = time.monotonic()
    with copy_of(root) as copy:
        target = copy / mutant.path
        before = target.read_text()
        after = mutant.change.apply(before)
        target.write_text(after)
        for some in (tests[:first], tests[first:]):
            code, out = run_tests(copy, some, timeout) if some else (0, "")
            outcome, test = _outcome(code, out)
            if outcome != "survived":
                break
        if outcome == "killed" and test:
            target.write_text(before)
            if run_tests(copy, [test], timeout)[0]:
                outcome = "broken without it"
    diff = difflib.unified_diff(
        before.splitlines(), after.splitlines(), mutant.path, mutant.path, "", "", 1, ""
    )
    return Verdict(mutant, outcome, test, time.monotonic() - start, "\n".join(diff))


def _outcome(code: int | None, out: str) -> tuple[str, str]:
    if code is None:
        return "timed out", ""
    if code == 0:
        return "survived", ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", out, re.MULTILINE)
    # An id may hold spaces: the file is enough where it does.
    test = failed.group(1) if failed else ""
    return ("killed", test if "[" not in test or test.endswith("]") else test.partition("[")[0])


def run_tests(copy: Path, tests: list[str], timeout: float) -> tuple[int | None, str]:
    """The exit code of pytest, None where it took too long, and what it wrote."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command,
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, ""
    return process.returncode, out
