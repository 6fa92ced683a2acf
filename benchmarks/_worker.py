"""One benchmark in a process of its own: `python -m benchmarks._worker NAME FILE [--tiny] [--peak ...]`.

Precision, devices and memory are set once in a process, so that each benchmark gets a fresh one.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jax

from meanfield.io import provenance, write_json
from meanfield.program import prepare

from ._contest import Contest
from ._machine import checkout
from ._measure import measure
from ._memory import peak


def main(argv: list[str] | None = None) -> int:
    """Runs a benchmark, or measures the memory of one contender, and writes the outcome to a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("file", type=Path)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--peak", nargs=2, metavar=("CONTEST", "CONTENDER"))
    options = parser.parse_args(argv)
    module = importlib.import_module(f"benchmarks.bench_{options.name}")
    if hasattr(module, "CORES"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: module.CORES])
    prepare(float32=not getattr(module, "FLOAT64", False))
    if options.peak:
        write_json(options.file, _peak(module, options.tiny, *options.peak))
        return 0
    rows, wanted, origin = [], [], checkout()
    for contest in module.contests(options.tiny):
        rows.append(measure(contest, 2 if options.tiny else None) | {"checkout": origin})
        wanted += _wanted(contest, rows[-1])[: 1 if options.tiny else None]
        print(".", end="", file=sys.stderr, flush=True)
    write_json(options.file, {"rows": rows, "peaks": wanted, "provenance": provenance()})
    return 0


def _wanted(contest: Contest, row: dict[str, Any]) -> list[list[str]]:
    """The pairs of contest and contender whose memory is to be measured."""
    timed = row.get("contenders", {})
    return [[contest.name, name] for name in contest.memory if name in timed]


def _peak(module: ModuleType, tiny: bool, contest_name: str, contender: str) -> float | None:
    """MB of one contender, once made ready."""
    for contest in module.contests(tiny):
        if contest.name == contest_name:
            work = contest.contenders[contender]()
            jax.block_until_ready(jax.numpy.zeros(1) + 1)
            return peak(work)
    raise ValueError(f"expected a contest that exists, got {contest_name}")


if __name__ == "__main__":
    sys.exit(main())
