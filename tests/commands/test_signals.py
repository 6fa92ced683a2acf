"""The command line as a program: signals at any moment, pipes that break."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toys import Powers

from meanfield.commands import _signals
from meanfield.io import Store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
ROOT = Path(__file__).parents[2]


def _start(*arguments) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), *sys.path])},
    )


@pytest.fixture(autouse=True)
def heard():
    """Children ignore what their parent ignores, as below nohup: here it ignores no signal that is sent."""
    ignored = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


KEPT = "; the finished cells are kept, and the same command resumes"


def _end(program: subprocess.Popen, number: int, status: int, words: str) -> None:
    program.send_signal(number)
    said = program.communicate(timeout=120)[1]
    assert (program.returncode, said) == (status, f"meanfield: {words}\n")


@pytest.mark.parametrize(
    ("module", "number", "status", "word"),
    [
        ("meanfield", signal.SIGINT, 130, "interrupted"),
        ("meanfield", signal.SIGTERM, 143, "terminated"),
        ("paper_figs", signal.SIGTERM, 143, "terminated"),
    ],
)
def test_signals_during_imports_are_one_line(tmp_path, module, number, status, word):
    """Imports take seconds; Python itself starts in a hundredth of one, and hears no one yet."""
    arguments = {"meanfield": ["run", "clustering"], "paper_figs": []}[module]
    program = _start(module, *arguments, "--out", tmp_path / "out")
    _until(lambda: _listens(program))
    _end(program, number, status, word)
    assert not (tmp_path / "out").exists()


def test_little_is_imported_before_signals_are_heard():
    """Of Python alone, without packages and what they have it load: until then Ctrl-C shows where it fell."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from meanfield.commands import main; "
        "print(*sys.modules)"
    )
    said = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, check=True)
    loaded = said.stdout.decode().split()
    assert "meanfield.commands._signals" in loaded
    assert not {"inspect", "importlib.metadata", "pathlib", "pkgutil", "difflib"} & {*loaded}


def _listens(program: subprocess.Popen) -> bool:
    """Whether the thread runs that hears of signals; where the system does not tell, in a second."""
    about = Path(f"/proc/{program.pid}/status")
    if not about.exists():
        return time.sleep(1) is None
    return int(next(s.split()[1] for s in about.read_text().splitlines() if "Threads" in s)) > 1


def _until(happened) -> None:
    end = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_run_that_is_terminated_keeps_its_cells(tmp_path):
    out, exponents = tmp_path / "out", [*range(1, 2000)]
    program = _start("runs_toys", "run", "powers", "--exponents", *exponents, "--out", out)
    _until(lambda: len([*out.glob("cells/[!.]*.nc")]) > 1 or program.poll() is not None)
    _end(program, signal.SIGTERM, 143, f"terminated{KEPT}")
    stored = Store.open(out)
    assert stored.cells() > 1
    assert stored.load_result() is None
    study = Powers(exponents=tuple(exponents))
    found = [part for cell in study.cells()[:2000] if (part := stored.find_cell(cell)) is not None]
    assert len(found) == stored.cells()


def test_what_is_kept_is_said_once_a_run_has_begun(monkeypatch, tmp_path):
    monkeypatch.setattr(_signals, "_RESUMABLE", [])
    assert _signals.kept("interrupted") == "interrupted"
    study = Powers(exponents=(1,))
    store = study.store(tmp_path)
    _signals.resumes(store)
    assert _signals.kept("interrupted") == "interrupted before a cell was finished; nothing is kept"
    study.run(store)
    assert _signals.kept("terminated") == f"terminated{KEPT}"


def test_a_pipe_that_breaks_is_silent():
    with _start("meanfield", "--help") as program:
        program.stdout.close()
        assert program.wait(60) == 141
        assert program.stderr.read() == ""
