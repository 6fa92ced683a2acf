"""Files that are either whole or absent, whatever kills the process that writes them."""

import contextlib
import errno
import os
import time
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


class StoreError(ValueError):
    """A folder or file of results that cannot be used, in one sentence that names the remedy."""


def write_bytes(path: Path, content: bytes) -> None:
    """Puts `content` in the place of the file `path`, and makes its folder where there is none.

    The bytes are on the disk before the name is: a reader sees the old file or the new one, never
    a part. Raises StoreError where the system refuses to write.
    """
    with speaking(path.parent), _beside(path, content) as temporary:
        _replace(temporary, path)


def write_new(path: Path, content: bytes) -> bool:
    """Makes the file `path`, whole, unless there is one; whether it did.

    Of several processes that try at once exactly one succeeds. Raises StoreError where the system
    refuses to write.
    """
    with speaking(path.parent), _beside(path, content) as temporary:
        try:
            os.link(temporary, path)
            return True
        except FileExistsError:
            return False
        except (OSError, AttributeError):  # some file systems know no links
            return _create(path, content)


@contextlib.contextmanager
def speaking(folder: Path):
    """Turns a refusal by the system into a StoreError that names the remedy."""
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        raise StoreError(
            f"expected a folder that can be read and written, got {folder} "
            f"({error.strerror or error}); "
            + ("make room there or " if full else "")
            + (
                "choose another folder."
                if full
                else "choose another folder or change its permissions."
            )
        ) from error


@contextlib.contextmanager
def _beside(path: Path, content: bytes):
    """A file of that content beside `path`, which is gone at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Neither the process's number, which containers share, nor the name, which may be long already.
    temporary = path.with_name(f".{os.urandom(12).hex()}.tmp")
    try:
        _create(temporary, content)
        yield temporary
        _flush_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _create(path: Path, content: bytes) -> bool:
    """Writes a file that was not there and waits until it is on the disk; False if it was there."""
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True


def _replace(temporary: Path, path: Path) -> None:
    """Renames; Windows refuses to while another process reads the old file, which is soon over."""
    for pause in (0.01, 0.1, 1.0) if os.name == "nt" else ():
        try:
            temporary.replace(path)
            return
        except PermissionError:
            time.sleep(pause)
    temporary.replace(path)


def _flush_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where the system can (Windows cannot)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
