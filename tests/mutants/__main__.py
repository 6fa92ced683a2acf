"""Changes formulas by one and asks the fast tests that reach them whether they notice.

    make mutants                                     a sample of 40
    python tests/mutants --sample 300 --seed 1       the big run, an hour or two on two cores
    python tests/mutants --only meanfield/energies   every change in a folder or file
    python tests/mutants --list --only FILE          what would be changed, without running

Each mutant is one change (sign, factor, index, axis, comparison, function, transpose or weight) of
one formula in the rooms of physics, drawn by an explicit seed from each room in proportion to its
formulas. It is made in memory, in a fork of a process that has imported the package (`forks.py`). The
tests are those that run the changed function, cheapest first, in two rounds (`reaches.py`). Which tests
run what is measured once, by a run of the fast tests that takes as long as `make test` and is kept in
.cache/mutants; later only files of tests that have changed are measured. A mutant takes some ten
seconds. Survivors are printed with their diff and appended to the file of `--report` as JSON, a line a
mutant; `--resume` skips what that file holds. Mutants that compute the same are listed with a reason
in equivalent.txt. Exits with 1 if any mutant survives.
"""

import argparse
import json
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from changes import changes
from reaches import Reaches, measure
from runner import Judge, Mutant, Verdict
from selection import sources

HERE = Path(__file__).resolve().parent


def mutants(root: Path, only: str) -> list[Mutant]:
    """Every mutant of the files whose path starts with `only`, without those that are equivalent."""
    lines = (HERE / "equivalent.txt").read_text().splitlines()
    same = {line.partition(" # ")[0] for line in lines if not line.startswith("#")}
    every = [
        Mutant(str(path.relative_to(root)), change)
        for path in sources(root)
        if str(path.relative_to(root)).startswith(only)
        for change in changes(path.read_text())
    ]
    return [mutant for mutant in every if mutant.name not in same]


def draw(every: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """A sample with each room's share of the mutants, rounded, in an order that mixes the rooms."""
    if not size or size >= len(every):
        return every
    random_ = random.Random(seed)
    drawn = []
    for room in sorted({mutant.room for mutant in every}):
        mine = [mutant for mutant in every if mutant.room == room]
        drawn += random_.sample(mine, max(1, round(size * len(mine) / len(every))))
    return random_.sample(drawn, len(drawn))


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python tests/mutants", description="Mutants.")
    parser.add_argument("--sample", type=int, default=0, help="how many to draw; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--only", default="meanfield", help="a folder or file")
    parser.add_argument("--root", type=Path, default=HERE.parents[1], help="the repository")
    parser.add_argument("--timeout", type=float, default=300, help="seconds a round of tests")
    parser.add_argument("--report", type=Path, default=None, help="a file of JSON lines")
    parser.add_argument("--resume", action="store_true", help="skip what the report holds")
    parser.add_argument("--stale", action="store_true", help="measure no tests again")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    return parser.parse_args()


def main() -> int:
    """Draws, runs and reports."""
    options = parse()
    root = options.root.resolve()
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(root / ".cache" / "jax"))
    every = mutants(root, options.only)
    drawn = draw(every, options.sample, options.seed)
    print(f"{len(drawn)} of {len(every)} mutants, seed {options.seed}", flush=True)
    if options.list:
        print(*(f"{m.change.line}: {m.name}" for m in drawn), sep="\n")
        return 0
    known = root / ".cache" / "mutants" / "reaches.json"
    if not options.stale:
        known.parent.mkdir(parents=True, exist_ok=True)
        measure(root, known)
    judge, done, verdicts = Judge(root, Reaches(root, known), options.timeout), _done(options), []
    for mutant in drawn:
        if f"{mutant.change.line} {mutant.name}" not in done:
            verdicts.append(judge(mutant))
            _tell(verdicts[-1], options.report)
    return _summary(verdicts)


def _done(options: argparse.Namespace) -> set[str]:
    if not (options.resume and options.report and options.report.exists()):
        return set()
    rows = [json.loads(line) for line in options.report.read_text().splitlines()]
    return {f"{row['line']} {row['name']}" for row in rows}


def _tell(verdict: Verdict, report: Path | None) -> None:
    mutant = verdict.mutant
    print(
        f"{verdict.outcome:9} {verdict.seconds:5.0f} s  {mutant.name}  {verdict.test}", flush=True
    )
    if verdict.outcome != "killed":
        print(verdict.diff, f"{verdict.tests} tests ran", sep="\n", flush=True)
    if report:
        row = {
            "name": mutant.name,
            "line": mutant.change.line,
            "room": mutant.room,
            "outcome": verdict.outcome,
            "test": verdict.test,
            "tests": verdict.tests,
            "seconds": round(verdict.seconds, 1),
            "diff": verdict.diff,
        }
        with report.open("a") as file:
            file.write(json.dumps(row) + "\n")


def _summary(verdicts: list[Verdict]) -> int:
    counts: dict[str, int] = {}
    for verdict in verdicts:
        counts[verdict.outcome] = counts.get(verdict.outcome, 0) + 1
    seconds = sum(verdict.seconds for verdict in verdicts)
    print(f"{counts}, {seconds:.0f} s for {len(verdicts)} mutants")
    return int(any(outcome != "killed" for outcome in counts))


if __name__ == "__main__":
    sys.exit(main())
