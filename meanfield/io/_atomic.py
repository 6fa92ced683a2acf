"""Files that are either whole or absent, whatever kills the process that writes them."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path


class StoreError(ValueError):
    """A folder or file of results that cannot be used, in one sentence that names the remedy."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write` on a temporary file beside `path`, then puts it in the place of `path`.

    The bytes are on the disk before the name is: a reader sees the old file or the new one, never
    a part. Raises StoreError where the system refuses to write.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with speaking(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            write(temporary)
            _flush(temporary)
            temporary.replace(path)
        with contextlib.suppress(OSError):  # some systems cannot flush a folder
            _flush(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def speaking(folder: Path):
    """Turns a refusal by the system into a StoreError that names the remedy."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"expected a folder that can be read and written, got {folder} "
            f"({error.strerror or error}); choose another folder or change its permissions."
        ) from error


def _flush(path: Path) -> None:
    """Waits until the system has put `path` on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
