"""The cells of a study shared among processes and devices."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import jax

_Cell = TypeVar("_Cell")

BEAT, PATIENCE = 5.0, 60.0
"""Seconds between two signs of life of a process, and without one after which it counts as ended."""


def compute_share(cells: Sequence[_Cell], compute: Callable[[_Cell], object]) -> None:
    """Computes the cells whose turn it is for this process, each on whichever local device is free.

    Cell k is that of process k mod p, under `jax.distributed`. A cell that fails ends the rest.
    """
    _compute_all([*cells][jax.process_index() :: jax.process_count()], compute)


def compute_together(
    cells: Sequence[_Cell],
    compute: Callable[[_Cell], object],
    is_stored: Callable[[_Cell], bool],
    folder: Path,
) -> None:
    """Computes the share of this process, then that of others which have ended, until all is stored."""

    def complete() -> bool:
        if all(is_stored(cell) for cell in cells):
            return True
        _compute_all([cell for cell in presence.left(cells) if not is_stored(cell)], compute)
        return False

    with _Presence(folder) as presence:
        compute_share(cells, compute)
        wait_until(complete)


def _compute_all(cells: Sequence[_Cell], compute: Callable[[_Cell], object]) -> None:
    """Computes the cells, each on whichever local device is free."""
    free: queue.SimpleQueue[jax.Device] = queue.SimpleQueue()
    for device in jax.local_devices():
        free.put(device)

    def on_a_free_device(cell: _Cell) -> None:
        device = free.get()
        try:
            with jax.default_device(device):
                compute(cell)
        finally:
            free.put(device)

    with ThreadPoolExecutor(jax.local_device_count()) as pool:
        jobs = [pool.submit(on_a_free_device, cell) for cell in cells]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def wait_until(happened: Callable[[], bool], pause: float = 0.2) -> None:
    """Returns once it has happened: the processes of a study meet in its store, by no clock of jax."""
    while not happened():
        time.sleep(pause)


class _Presence:
    """The processes of a study, known to each other by files in the folder in which they meet.

    While it is entered, a thread touches the file of this process; whose file is not touched for long, or
    is not there by then, has ended. Times are those of the folder's file system, of one clock.
    """

    def __init__(self, folder: Path):
        self._folder, self._rank = folder, jax.process_index()
        self._over, self._next = threading.Event(), 0.0
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> "_Presence":
        self._start = self._now()
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            self._file(self._rank).unlink()

    def left(self, cells: Sequence[_Cell]) -> list[_Cell]:
        """The cells of processes that have ended, of which this one is to compute its share.

        It looks seldom: each process looks for all others.
        """
        if time.monotonic() < self._next:
            return []
        self._next = time.monotonic() + PATIENCE / 4
        now, count = self._now(), jax.process_count()
        living = [rank for rank in range(count) if now - self._seen(rank) <= PATIENCE]
        orphans = [cell for k, cell in enumerate(cells) if k % count not in living]
        return orphans[living.index(self._rank) :: len(living)]

    def _live(self) -> None:
        while not self._over.wait(BEAT):
            with contextlib.suppress(OSError):
                self._file(self._rank).touch()

    def _now(self) -> float:
        self._file(self._rank).touch()
        return self._file(self._rank).stat().st_mtime

    def _seen(self, rank: int) -> float:
        try:
            touched = self._file(rank).stat().st_mtime  # perhaps by an earlier run
        except OSError:
            touched = 0.0  # not here yet, or gone
        return max(touched, self._start)

    def _file(self, rank: int) -> Path:
        return self._folder / f".alive-{rank}.tmp"
