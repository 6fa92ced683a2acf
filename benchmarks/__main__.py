"""The command that runs benchmarks: see the package's docstring."""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from meanfield.io import write_json
from meanfield.program import choose, complain, first_line, guarded, parse

from . import _report
from ._machine import checkout, machine

HERE = Path(__file__).parent
ON_DEVICES = ("device", "field", "harmonic", "sinkhorn", "phase_diagram", "ring")
"""What is told of a GPU or TPU."""
# Threads of OpenMP, in PyTorch and KeOps, otherwise spin for a while after their work, in the time of
# whoever is timed next.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


@dataclass(frozen=True)
class Options:
    """Times the package against named peers, on this machine."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Benchmarks to run; all of them if none is named."""
    json: Path = Path("results/benchmarks.json")
    """File of the results. Benchmarks that it has from this commit and machine are not run again."""
    again: tyro.conf.FlagCreatePairsOff[bool] = False
    """Run them again all the same."""
    tiny: tyro.conf.FlagCreatePairsOff[bool] = False
    """Small sizes, two rounds: a rehearsal."""
    device: tyro.conf.FlagCreatePairsOff[bool] = False
    """Run those that say what an accelerator does, about five minutes there, if none is named."""
    list: tyro.conf.FlagCreatePairsOff[bool] = False
    """List the benchmarks and stop."""
    tables: Path | None = None
    """Write the results in README.md and benchmarks/README.md of this folder, between markers, and stop."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; 2 if a benchmark fails, 130 if interrupted."""
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    return guarded(lambda: _main(arguments), show_traceback="--traceback" in arguments)


def _main(arguments: Sequence[str]) -> int:
    options = parse(Options, "python -m benchmarks", [*arguments])
    found = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    if options.list:
        for name in found:
            print(f"{name:20} {first_line(importlib.import_module(f'benchmarks.bench_{name}'))}")
        return 0
    if options.tables is not None:
        _report.insert_tables(options.tables, _load(options.json))
        return 0
    where = "python -m benchmarks --list"
    every = ON_DEVICES if options.device else found
    names = [choose(name, found, "benchmark", where) for name in options.names or every]
    results = _load(options.json) | {"machine": machine()}
    failed = [name for name in names if not _one(name, options, results)]
    _report.save_figure(results, options.json.with_suffix(".png"))
    print(f"results in {options.json}, exponents in {options.json.with_suffix('.png')}")
    return complain(f"could not time {', '.join(failed)}") if failed else 0


def _load(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"cases": {}}
    return json.loads(path.read_text())


def _one(name: str, options: Options, results: dict[str, Any]) -> bool:
    """Whether the benchmark is there, now or from an earlier run."""
    stamp = {"tiny": options.tiny, "on": results["machine"]} | checkout()
    known = results["cases"].get(name)
    if known and known["stamp"] == stamp and not options.again:
        print(f"{name}: kept, measured at {known['provenance']['utc']}")
        return True
    start = time.perf_counter()
    try:
        case = _run(name, options.tiny)
    except subprocess.CalledProcessError as error:
        complain(f"{name}: {error}")
        return False
    results["cases"][name] = {"stamp": stamp, "seconds": time.perf_counter() - start} | case
    write_json(options.json, results)
    _report.show(name, results["cases"][name])
    return True


def _run(name: str, tiny: bool) -> dict[str, Any]:
    """The outcome of one benchmark, with the peaks of memory that it asks for."""
    case = _worker(name, tiny)
    rows = {row["contest"]: row for row in case["rows"] if "contenders" in row}
    for contest, contender in case.pop("peaks"):
        peak = _worker(name, tiny, "--peak", contest, contender)
        rows[contest]["contenders"][contender]["peak_megabytes"] = peak
    return case


def _worker(name: str, tiny: bool, *more: str) -> Any:
    """What one fresh process measures."""
    module = importlib.import_module(f"benchmarks.bench_{name}")
    environment = QUIET | getattr(module, "ENVIRONMENT", {})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "out.json"
        command = [sys.executable, "-m", "benchmarks._worker", name, str(file), *more]
        command += ["--tiny"] if tiny else []
        subprocess.run(command, check=True, cwd=HERE.parent, env=dict(os.environ) | environment)
        return json.loads(file.read_text())


if __name__ == "__main__":
    sys.exit(main())
