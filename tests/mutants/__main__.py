"""Changes formulas by one and asks the nearest fast tests whether they notice.

    make mutants                                     a sample of 40
    python tests/mutants --sample 300 --seed 1       the big run, hours on two cores
    python tests/mutants --only meanfield/energies   every change in a folder or file
    python tests/mutants --list --only FILE          what would be changed, without running

Each mutant is one change (sign, factor, index, axis, comparison, function, transpose or weight) of
one formula in the rooms of physics, drawn by an explicit seed, written into a temporary copy of the
package. The nearest test files (`selection.py`) run on it with -x, three at first and nine more if
these pass; a test that fails is run once more without the change, so that a test which is broken anyway
kills nothing. A mutant takes one to three minutes of a core that it has for itself. The persistent cache
of compiled programs is shared: `JAX_COMPILATION_CACHE_DIR` says where. Survivors are printed with
their diff and appended to the file of `--report` as JSON, a line a mutant; `--resume` skips what
that file holds. Mutants that compute the same are listed with a reason in equivalent.txt.
Exits with 1 if any mutant survives.
"""

import argparse
import json
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from changes import changes
from runner import Mutant, Verdict, judge
from selection import nearest_tests, sources

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


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python tests/mutants", description="Mutants.")
    parser.add_argument("--sample", type=int, default=0, help="how many to draw; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--only", default="meanfield", help="a folder or file")
    parser.add_argument("--root", type=Path, default=HERE.parents[1], help="the repository")
    parser.add_argument("--first", type=int, default=3, help="test files that run at first")
    parser.add_argument("--most", type=int, default=12, help="test files before it has survived")
    parser.add_argument("--timeout", type=float, default=600, help="seconds a mutant")
    parser.add_argument("--report", type=Path, default=None, help="a file of JSON lines")
    parser.add_argument("--resume", action="store_true", help="skip what the report holds")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    return parser.parse_args()


def main() -> int:
    """Draws, runs and reports."""
    options = parse()
    root = options.root.resolve()
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(root / ".cache" / "jax"))
    drawn = mutants(root, options.only)
    total = len(drawn)
    if options.sample and options.sample < total:
        drawn = random.Random(options.seed).sample(drawn, options.sample)
    print(f"{len(drawn)} of {total} mutants, seed {options.seed}", flush=True)
    if options.list:
        print(*(f"{m.change.line}: {m.name}" for m in drawn), sep="\n")
        return 0
    done = _done(options)
    verdicts = []
    for mutant in drawn:
        if f"{mutant.change.line} {mutant.name}" in done:
            continue
        tests = nearest_tests(root, root / mutant.path, options.most)
        verdicts.append(judge(root, mutant, tests, options.first, options.timeout))
        _tell(verdicts[-1], tests, options.report)
    return _summary(verdicts)


def _done(options: argparse.Namespace) -> set[str]:
    if not (options.resume and options.report and options.report.exists()):
        return set()
    rows = [json.loads(line) for line in options.report.read_text().splitlines()]
    return {f"{row['line']} {row['name']}" for row in rows}


def _tell(verdict: Verdict, tests: list[str], report: Path | None) -> None:
    mutant = verdict.mutant
    print(
        f"{verdict.outcome:9} {verdict.seconds:5.0f} s  {mutant.name}  {verdict.test}", flush=True
    )
    if verdict.outcome != "killed":
        print(verdict.diff, f"tests: {' '.join(tests)}", sep="\n", flush=True)
    if report:
        row = {
            "name": mutant.name,
            "line": mutant.change.line,
            "outcome": verdict.outcome,
            "test": verdict.test,
            "tests": tests,
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
