"""Folders for calls that need files, removed when the program ends."""

import atexit
import shutil
import tempfile
from pathlib import Path


def scratch() -> Path:
    """A new empty folder."""
    folder = tempfile.mkdtemp(prefix="catalogue-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
