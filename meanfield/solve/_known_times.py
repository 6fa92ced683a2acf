"""diffrax's own checks of the times of a run, left out of programs: ours are made before."""

import contextlib
import importlib
import threading
from collections.abc import Iterator
from typing import Any

import equinox.internal as eqxi

_left_out = threading.local()


@contextlib.contextmanager
def known_times() -> Iterator[None]:
    """Here `diffrax.diffeqsolve` is traced without its checks that times increase and that dt > 0.

    They call the host where they fail, and a program that may call the host is compiled anew in every
    process: jax keeps no such program on the disk. Runs of others keep them, but for those inside a
    drift, and so do other threads.
    """
    before = _are_left_out()
    _left_out.now = True
    try:
        yield
    finally:
        _left_out.now = before


def _are_left_out() -> bool:
    return getattr(_left_out, "now", False)


class _Internal:
    """equinox.internal, with an `error_if` that may be left out."""

    def __getattr__(self, name: str) -> Any:
        return getattr(eqxi, name)

    @staticmethod
    def error_if(x: Any, pred: Any, msg: str, **options: Any) -> Any:
        return x if _are_left_out() else eqxi.error_if(x, pred, msg, **options)


# A name of diffrax's own: where a later one has it no more its checks stay, as a test then tells.
with contextlib.suppress(ImportError):
    importlib.import_module("diffrax._integrate").eqxi = _Internal()  # pyright: ignore
