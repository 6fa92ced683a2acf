"""What diffrax does with the times of a run, made shorter: programs compile sooner, and stay on the disk."""

import contextlib
import importlib
import threading
from collections.abc import Iterator
from typing import Any

import equinox.internal as eqxi
import jax
import jax.numpy as jnp

from .._typing import Scalar

_BEFORE = 100
"""diffrax ends a run that comes this many numbers near to its end."""
_left_out = threading.local()


@contextlib.contextmanager
def known_times() -> Iterator[None]:
    """Here `diffrax.diffeqsolve` is traced without its checks that times increase and that dt > 0, and
    with the number a hundred before the last time found at once.

    The checks, which ours are made before, call the host where they fail, and a program that may call the
    host is compiled anew in every process: jax keeps no such program on the disk. A hundred steps to a
    number are a fifth of what a short run is traced and compiled in. Runs of others keep both, but for those
    inside a drift, and so do other threads.
    """
    before = _are_left_out()
    _left_out.now = True
    try:
        yield
    finally:
        _left_out.now, _left_out.floor = before, None


def _are_left_out() -> bool:
    return getattr(_left_out, "now", False)


class _Internal:
    """equinox.internal, with an `error_if` that may be left out, and with all steps back at once."""

    def __getattr__(self, name: str) -> Any:
        return getattr(eqxi, name)

    @staticmethod
    def error_if(x: Any, pred: Any, msg: str, **options: Any) -> Any:
        return x if _are_left_out() else eqxi.error_if(x, pred, msg, **options)

    @staticmethod
    def prevbefore(x: Scalar) -> Scalar:
        if not _are_left_out():
            return eqxi.prevbefore(x)
        if getattr(_left_out, "floor", None) is not x:  # the first of the hundred
            _left_out.floor = _hundred_before(x)
        return _left_out.floor


def _hundred_before(x: Scalar) -> Scalar:
    """The hundredth number before x; about 0, where numbers are too near each other to tell, -tiny."""
    x, info = jax.lax.stop_gradient(x), jnp.finfo(x.dtype)
    bits = jax.lax.bitcast_convert_type(x, f"int{info.bits}")
    before = jax.lax.bitcast_convert_type(bits + jnp.where(x > 0, -_BEFORE, _BEFORE), x.dtype)
    return jnp.where(jnp.abs(x) < 2 * info.tiny, -info.tiny, before)


# A name of diffrax's own: where a later one has it no more its checks stay, as a test then tells.
with contextlib.suppress(ImportError):
    importlib.import_module("diffrax._integrate").eqxi = _Internal()  # pyright: ignore
