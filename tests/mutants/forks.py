"""One process that has imported the package, and a fork of it for each mutant.

An import of the package with its annotations checked takes ten seconds, a fork none. In the fork the
code of the changed function is exchanged; what the import itself runs is imported once more instead.
No file is written. The process that forks starts no backend of jax, whose threads would not follow.
"""

import gc
import importlib
import importlib.machinery
import json
import os
import select
import signal
import sys
import time
import traceback
import types
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Run:
    """What a run of tests came to: passed, failed (which test), or timed out; tests ended, seconds."""

    outcome: str
    test: str
    ended: int
    seconds: float


class Watch:
    """Tells the parent of each test that ends, and of the first that fails."""

    def __init__(self, pipe: int):
        self.pipe = pipe

    def pytest_runtest_logreport(self, report):
        """A line a test."""
        if report.failed or report.when == "teardown":
            self.tell("failed" if report.failed else "ended", report.nodeid)

    def pytest_collectreport(self, report):
        """A file that cannot be imported fails too."""
        if report.failed:
            self.tell("failed", report.nodeid)

    def tell(self, what: str, test: str) -> None:
        """One line of JSON."""
        os.write(self.pipe, (json.dumps([what, test]) + "\n").encode())


class Forks:
    """The process that forks: `run(tests, path, text)` runs tests on a source that is exchanged."""

    def __init__(self, root: Path):
        self.root, self.folder = root, str(root / "meanfield")
        os.chdir(root)
        sys.path[:0] = [str(root), str(root / "tests")]
        self.at_import: set[tuple[str, str]] = set()
        sys.settrace(self._note)
        importlib.import_module("conftest")  # from here on annotations are checked
        for name in modules(root):
            importlib.import_module(name)
        sys.settrace(None)
        self.functions = [
            each
            for each in gc.get_objects()
            if isinstance(each, types.FunctionType)
            and each.__code__.co_filename.startswith(self.folder)
        ]
        gc.freeze()

    def _note(self, frame, *_):
        code = frame.f_code
        if code.co_filename.startswith(self.folder):
            self.at_import.add((code.co_filename, code.co_qualname))

    def run(self, tests: list[str], path: str, text: str | None, timeout: float) -> Run:
        """Runs tests with -x in a fork, with the source at `path` exchanged where there is a text."""
        start, (read, write) = time.monotonic(), os.pipe()
        child = os.fork()
        if not child:
            self._child(tests, path, text, write)
        os.close(write)
        lines, late = _lines(read, start + timeout)
        if late:
            os.killpg(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        seconds = time.monotonic() - start
        failed = [test for what, test in lines if what == "failed"]
        ended = sum(what == "ended" for what, _ in lines)
        if failed:
            return Run("failed", failed[0], ended, seconds)
        code = os.waitstatus_to_exitcode(status)
        outcome = "timed out" if late else {0: "passed", 5: "passed"}.get(code, "failed")
        return Run(outcome, f"exit code {code}" * (outcome == "failed"), ended, seconds)

    def _child(self, tests: list[str], path: str, text: str | None, pipe: int) -> None:
        code = 99
        try:
            os.setsid()
            out = os.open(os.environ.get("MUTANT_OUT", os.devnull), os.O_WRONLY | os.O_CREAT)
            os.dup2(out, 1)
            os.dup2(out, 2)
            if text is not None and not self._exchange(self.root / path, text):
                import_again(self.root, self.root / path, text)
            options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
            options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
            code = int(pytest.main([*options, *tests], plugins=[Watch(pipe)]))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _exchange(self, path: Path, text: str) -> bool:
        """Exchanges the code of functions; False where the import has run what is changed."""
        name = ".".join(path.relative_to(self.root).with_suffix("").parts)
        if name not in sys.modules:
            return False
        loader = sys.modules[name].__spec__.loader
        old = loader.source_to_code(path.read_bytes(), str(path))
        new = loader.source_to_code(text.encode(), str(path))
        pairs = changed_codes(old, new)
        if not pairs or any((str(path), o.co_qualname) in self.at_import for o, _ in pairs):
            return False
        found = {_key(old): 0 for old, _ in pairs}
        by_key = {_key(old): new for old, new in pairs}
        for function in self.functions:
            if _key(function.__code__) in by_key:
                found[_key(function.__code__)] += 1
                function.__code__ = by_key[_key(function.__code__)]
        return found[_key(pairs[0][0])] > 0


def modules(root: Path) -> list[str]:
    """All modules of the package but its program: what no test has imported yet would be imported in
    each fork."""
    files = (path.relative_to(root).with_suffix("") for path in root.glob("meanfield/**/*.py"))
    parts = sorted(file.parts for file in files if file.name != "__main__")
    return [".".join(part for part in each if part != "__init__") for each in parts]


def _key(code: types.CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _lines(read: int, end: float) -> tuple[list, bool]:
    """What the child tells until it ends, and whether the time was over before."""
    text, late = b"", False
    while True:
        ready, _, _ = select.select([read], [], [], max(end - time.monotonic(), 0))
        part = os.read(read, 65536) if ready else b""
        late = not ready
        if not part:
            break
        text += part
    os.close(read)
    return [json.loads(line) for line in text.decode().splitlines() if line.endswith("]")], late


def changed_codes(old: types.CodeType, new: types.CodeType) -> list:
    """Pairs (old, new) of the outermost function that differs and of those in it; none where a
    module or class itself differs, or where the closures do."""
    olds, news = _inner(old), _inner(new)
    if [code.co_name for code in olds] != [code.co_name for code in news]:
        return []
    pairs = []
    for before, after in zip(olds, news, strict=True):
        if _shape(before) == _shape(after):
            continue
        if before.co_flags & 2:  # CO_NEWLOCALS: a function, not the body of a class
            pairs += _all_pairs(before, after)
        else:
            pairs += changed_codes(before, after)
    same = all(a.co_freevars == b.co_freevars for a, b in pairs)
    return pairs if same else []


def _all_pairs(old: types.CodeType, new: types.CodeType) -> list:
    inner = zip(_inner(old), _inner(new), strict=False)
    return [(old, new), *(pair for a, b in inner for pair in _all_pairs(a, b))]


def _inner(code: types.CodeType) -> list[types.CodeType]:
    return [each for each in code.co_consts if isinstance(each, types.CodeType)]


def _shape(code: types.CodeType) -> tuple:
    """What a code computes, without its lines."""
    consts = tuple(
        _shape(each) if isinstance(each, types.CodeType) else (type(each), repr(each))
        for each in code.co_consts
    )
    return code.co_code, code.co_names, code.co_varnames, consts


def import_again(root: Path, path: Path, text: str) -> None:
    """Forgets all that was imported from the repository; its next import finds the text."""
    here = Path(__file__).parent
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(str(root)) and not file.startswith(str(here)) and name != "__main__":
            del sys.modules[name]
    loader = importlib.machinery.SourceFileLoader
    get_data, path_stats = loader.get_data, loader.path_stats

    def changed_data(self, name):
        return text.encode() if str(name) == str(path) else get_data(self, name)

    def no_stats(self, name):
        if str(name) == str(path):
            raise OSError("its bytecode is that of another text")
        return path_stats(self, name)

    loader.get_data, loader.path_stats = changed_data, no_stats
