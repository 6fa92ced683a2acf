"""A process that stores a toy study, what a cell holds being fixed by its number. It needs the store
alone, and is forked from a server that has imported it, so that a hundred are started and killed in
seconds."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import xarray as xr

from meanfield.commands._signals import end_on_signals, resumes
from meanfield.io import Store, StoreError, _identity, _store
from meanfield.io._sealed import pack


def identity(beta: float) -> dict:
    return {"study": "toy", "fields": {"beta": beta}}


def part(number: int) -> xr.Dataset:
    return xr.Dataset({"x": ("t", np.full(200, float(number)))})


pack(part(0))  # what this imports is imported once, before the forks


def write(folder: Path, beta: float, cells: int) -> None:
    """Runs the study, as `meanfield run` does."""
    store = Store(folder, identity(beta))
    resumes(store)
    for number in range(cells):
        if store.find_cell({"number": number}) is None:
            store.save_cell({"number": number}, part(number))
    store.save_result(xr.Dataset({"total": ((), float(cells))}))
    store.save_claims([{"name": "total", "passed": True}])


def process(folder: Path, beta: float, cells: int, log: Path, start=None) -> None:
    """The same as a program: it ends on signals, and its standard error is the file `log`."""
    for number in (signal.SIGINT, signal.SIGTERM):  # which who runs the tests may ignore
        signal.signal(number, signal.SIG_DFL)
    end_on_signals()
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    # All in one container have the same number; and to look for devices takes longer than all else.
    os.getpid = lambda: 7
    _identity.provenance = _store.provenance = lambda: {"device": "none"}
    if start is not None:
        start.wait()
    try:
        write(folder, beta, cells)
    except StoreError as error:
        os.write(2, f"{error}\n".encode())
        sys.exit(2)
