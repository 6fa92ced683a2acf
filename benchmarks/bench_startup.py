"""A first run, of a study from a shell and of the README's first example, with kept programs and without."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ._contest import Contest

STUDY = "phase_diagram"
CACHE = "$JAX_COMPILATION_CACHE_DIR, filled by one run, or empty"
README = Path(__file__).parents[1] / "README.md"
IMPORTS = """
import paper_figs.__main__
import meanfield as mf
mf.studies.PhaseDiagram, mf.simulate, mf.program.claims_of
"""
COUNTED = """
import json, os, sys, time
import jax
programs = []
event = "/jax/core/compile/backend_compile_duration"
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **more: programs.append(name) if name == event else None
)
exec(sys.argv[1])
maps = sum(1 for _ in open("/proc/self/maps")) if os.path.exists("/proc/self/maps") else 0
print(json.dumps({"programs": len(programs), "memory maps": maps, "CPU s": time.process_time()}))
"""


def contests(tiny: bool) -> Iterator[Contest]:
    """Whole processes: Python, imports, compilation and the work of a study at its least size."""
    if tiny:
        run = {"python": lambda: lambda: _python("-c", "pass")}
    else:
        run = {
            "warm": _warm,
            "cold": lambda: lambda: _fresh(),
            "imports alone": lambda: lambda: _python("-c", IMPORTS),
        }
    yield Contest(
        f"meanfield run {STUDY} --tiny, a process",
        run,
        facts={"study": STUDY, "cache": CACHE},
        repeats=1,
    )
    yield Contest(
        "README's first example, a process",
        ({} if tiny else {"warm": _warm_example}) | {"cold": lambda: _cold_example},
        counts=lambda counted: counted,
        facts={"cache": CACHE, "programs": "compiled, or read from the cache"},
        repeats=1,
    )


def _warm():
    folder = tempfile.TemporaryDirectory()
    _study(folder.name)
    return lambda kept=folder: _study(kept.name)


def _fresh() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _study(folder)


def _study(cache: str) -> None:
    """A run of the study whose programs are kept in `cache`, and whose results are not kept."""
    with tempfile.TemporaryDirectory() as out:
        where = str(Path(out) / "run")
        _python("-m", "meanfield", "run", STUDY, "--tiny", "--out", where, cache=cache)


def _warm_example():
    folder = tempfile.TemporaryDirectory()
    _example(folder.name)
    return lambda kept=folder: _example(kept.name)


def _cold_example() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        return _example(folder)


def _example(cache: str) -> dict[str, float]:
    """The example with its figure, as it stands; what it compiled and took."""
    code = README.read_text().split("```python\n", 1)[1].split("```", 1)[0]
    with tempfile.TemporaryDirectory() as where:
        said = _python("-c", COUNTED, code, cache=cache, where=where)
    return json.loads(said.splitlines()[-1])


def _python(*arguments: str, cache: str | None = None, where: str | None = None) -> str:
    kept = {"JAX_COMPILATION_CACHE_DIR": cache} if cache else {}
    if where:
        home = str(README.parent)
        kept |= {"MPLBACKEND": "agg", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    command, environment = [sys.executable, *arguments], dict(os.environ) | kept
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=where, env=environment
    )
    return done.stdout
