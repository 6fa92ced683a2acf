"""Runs on a mutant the tests that reach it, in forks of one process."""

import difflib
import time
from dataclasses import dataclass
from pathlib import Path

from changes import Change
from forks import Forks
from reached import functions_of
from reaches import Reaches
from selection import nearest_tests
from words import about

LIMITS = ((12, 20.0), (80, 120.0))
"""Tests, and their seconds together, of the rounds before a mutant has survived."""


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

    @property
    def room(self) -> str:
        """The room of the package that it is in."""
        return Path(self.path).parts[1]


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: killed by which test, survived, or timed out."""

    mutant: Mutant
    outcome: str
    test: str
    tests: int
    seconds: float
    diff: str


def _line(text: str) -> str:
    return " ".join(text.split())


class Judge:
    """Runs tests on mutants; remembers which tests hold without any change."""

    def __init__(self, root: Path, reaches: Reaches, timeout: float):
        self.root, self.reaches, self.timeout = root, reaches, timeout
        self.forks = Forks(root)
        self.holding: dict[str, bool] = dict.fromkeys(reaches.tests, True)

    def __call__(self, mutant: Mutant) -> Verdict:
        """Runs the rounds of tests until one fails that holds without the change."""
        start, outcome, test, ended = time.monotonic(), "survived", "", 0
        before = (self.root / mutant.path).read_text()
        after = mutant.change.apply(before)
        for group in self.groups(mutant, before):
            run = self.forks.run(group, mutant.path, after, self.timeout)
            ended += run.ended
            if run.outcome != "passed":
                outcome = "killed" if run.outcome == "failed" else run.outcome
                test = run.test
                break
        if outcome == "killed" and not self.holds(test):
            outcome = "broken without it"
        seconds = time.monotonic() - start
        return Verdict(mutant, outcome, test, ended, seconds, _diff(mutant.path, before, after))

    def groups(self, mutant: Mutant, text: str) -> list[list[str]]:
        """Tests that reach the function; the nearest files where none is known."""
        function = functions_of(text).get(mutant.change.line, "")
        subject = about(mutant.path, text, mutant.change.line)
        rounds = self.reaches.rounds(mutant.path, function, subject, LIMITS)
        return rounds or [nearest_tests(self.root, self.root / mutant.path, 4)]

    def holds(self, test: str) -> bool:
        """Whether a test holds without any change, by the measurement or by a run."""
        if test.startswith("exit code"):  # the process died of the change
            return True
        if test not in self.holding:
            self.holding[test] = self.forks.run([test], "", None, self.timeout).outcome == "passed"
        return self.holding[test]


def _diff(path: str, before: str, after: str) -> str:
    texts = before.splitlines(), after.splitlines()
    return "\n".join(difflib.unified_diff(*texts, path, path, "", "", 1, ""))
