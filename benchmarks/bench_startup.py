"""The command `meanfield run` from a shell, with compiled programs kept from earlier runs and without."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ._contest import Contest

STUDY = "phase_diagram"


def contests(tiny: bool) -> Iterator[Contest]:
    """Whole processes: Python, imports, compilation and the work of a study at its least size."""
    if tiny:
        run = {"python": lambda: lambda: _python("-c", "pass")}
    else:
        run = {
            "warm": _warm,
            "cold": lambda: lambda: _fresh(),
            "imports alone": lambda: lambda: _python("-c", "from meanfield.program import guarded"),
        }
    yield Contest(
        f"meanfield run {STUDY} --tiny, a process",
        run,
        facts={"study": STUDY, "cache": "$JAX_COMPILATION_CACHE_DIR, filled by one run, or empty"},
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


def _python(*arguments: str, cache: str | None = None) -> None:
    environment = dict(os.environ) | ({"JAX_COMPILATION_CACHE_DIR": cache} if cache else {})
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
