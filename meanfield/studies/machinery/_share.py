"""The cells of a study shared among processes and devices."""

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import jax

_Cell = TypeVar("_Cell")


def compute_share(cells: Sequence[_Cell], compute: Callable[[_Cell], object]) -> None:
    """Computes the cells whose turn it is for this process, each on whichever local device is free.

    Cell k is that of process k mod p, under `jax.distributed`. A cell that fails ends the rest.
    """
    mine = [*cells][jax.process_index() :: jax.process_count()]
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
        jobs = [pool.submit(on_a_free_device, cell) for cell in mine]
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
