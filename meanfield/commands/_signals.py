"""Signals that end a program: one line on the standard error, and the exit status of a shell.

Python turns Ctrl-C into an exception where it happens to be: within an import, a callback or a
destructor, which print it, swallow it or turn it into another, and never within a long computation of
a library. Here a thread hears of the signal at once and ends the process. Nothing is lost by that: each
file of results is whole or absent at any moment.
"""

import os
import signal
import sys
import threading
from typing import Protocol, runtime_checkable

_WORDS = {
    "SIGINT": "interrupted",
    "SIGTERM": "terminated",
    "SIGBREAK": "interrupted",
}  # Windows has the last


@runtime_checkable
class Keeps(Protocol):
    """What keeps finished cells: a store."""

    def cells(self) -> int:
        """How many there are."""
        ...


_RESUMABLE: list[Keeps] = []
"""Stores of what this program has begun."""


def end_on_signals() -> None:
    """From now on this process ends, with status 128 + n, when a signal n asks it to.

    For programs, called before their imports; in a process of somebody else signals are theirs. One
    that is ignored (`nohup`) stays so.
    """
    known = [
        (getattr(signal, name), word) for name, word in _WORDS.items() if hasattr(signal, name)
    ]
    words = {number: word for number, word in known if signal.getsignal(number) != signal.SIG_IGN}
    reader, writer = os.pipe()
    if os.name != "nt":  # where Python asks for it; Windows cannot
        os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in words:
        signal.signal(number, _nothing)
    threading.Thread(target=_watch, args=(reader, words), daemon=True).start()


def resumes(store: Keeps) -> None:
    """Has the line that is shown when this program is interrupted tell what is kept in a store."""
    _RESUMABLE.append(store)


def kept(word: str) -> str:
    """The line that is shown when a program was interrupted or terminated."""
    if not _RESUMABLE:
        return word
    if not any(store.cells() for store in _RESUMABLE):
        return f"{word} before a cell was finished; nothing is kept"
    without = " without --fresh" if "--fresh" in sys.argv else ""
    return f"{word}; the finished cells are kept, and the same command{without} resumes"


def _nothing(number: int, frame: object) -> None:
    """The handler: Python tells the thread, if there is one."""


def _watch(reader: int, words: dict[int, str]) -> None:
    while True:
        number = os.read(reader, 1)[0]
        if number in words:
            _end(number, words[number])


def _end(number: int, word: str) -> None:
    # A progress bar hides the cursor.
    cursor = "\r\x1b[K\x1b[?25h" if os.isatty(2) else ""
    try:
        os.write(2, f"{cursor}meanfield: {kept(word)}\n".encode())
    finally:
        os._exit(128 + number)
