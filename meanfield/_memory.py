"""How large an array may be, and how many compiled programs: what fits in memory and in the caches."""

import gc
import math
import os
import threading
from pathlib import Path

import jax
from jax.core import Tracer

LARGEST_DENSE = 2**23
"""Bytes of the largest n x m matrix that is built whole where the choice is ours: a larger one leaves
the caches, and blocks are then quicker, two to three times from twice this size on."""
LARGEST_KERNEL = 2**27
"""The same where products with the matrix are taken again and again, which blocks would compute anew:
whole it is twice as quick at any size, so that memory sets the limit."""

_LOOK_EVERY = 16  # programs compiled between two looks at what they take
_SHARE = 0.4  # of the memory maps that a process may have, and of the machine's memory
_compiled = 0


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device_memory() -> float | None:
    """Bytes that jax may use on the default device; None where it has no limit of its own."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return float(stats["bytes_limit"]) if "bytes_limit" in stats else None


def machine_memory() -> float | None:
    """Bytes of this machine; None where the system does not say."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def available_memory() -> float:
    """Bytes that an array may take on the default device: the device's limit, or this machine's."""
    return device_memory() or machine_memory() or math.inf


def dense_is_quick(n: int, m: int, itemsize: int) -> bool:
    """Whether an n x m matrix is small enough to be built whole."""
    return n * m * itemsize <= LARGEST_DENSE


def kernel_is_quick(n: int, m: int, itemsize: int) -> bool:
    """The same for a matrix that is used many times."""
    return n * m * itemsize <= LARGEST_KERNEL


def rows_at_once(n: int, numbers: int, itemsize: int) -> int:
    """How many of n rows of so many numbers each make an array small enough to be built whole."""
    return max(1, min(n, LARGEST_DENSE // (numbers * itemsize)))


def block_side(n: int, block: int) -> int:
    """The side of the blocks, of at most `block`, that n points are cut into: as even as may be, since
    what fills the last one up is worked on like the rest, in whole vector registers (16 numbers)."""
    if n <= block:
        return n
    even = -(-n // -(-n // block))
    return min(block, -(-even // 16) * 16)


def drop_programs() -> bool:
    """Drops jax's compiled programs if they have become too many; whether it did.

    Each new shape of an array is a new program of tens of megabytes and, on a CPU under Linux, of
    hundreds of memory maps, of which a process may have 65,530: past them XLA crashes. Those that are
    called again are compiled again, or read from the cache on disk. Nothing is dropped in the middle of
    a trace, or in a thread, beside which others may compile.
    """
    global _compiled
    if _compiled < _LOOK_EVERY or threading.current_thread() is not threading.main_thread():
        return False
    if isinstance(jax.lax.neg(0.0), Tracer):
        return False
    _compiled = 0
    if max(_maps_share(), _memory_share()) < _SHARE:
        return False
    jax.clear_caches()
    gc.collect()
    return True


def _maps_share() -> float:
    """The memory maps of this process over those it may have; 0 where the system has no such limit."""
    try:
        count = Path("/proc/self/maps").read_bytes().count(b"\n")
        return count / int(Path("/proc/sys/vm/max_map_count").read_text())
    except (OSError, ValueError):
        return 0.0


def _memory_share() -> float:
    """The memory of this process over this machine's; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (machine_memory() or math.inf)
    except (OSError, ValueError, AttributeError):
        return 0.0


def _count(event: str, duration_secs: float, **kwargs: str | int) -> None:
    global _compiled
    _compiled += event == "/jax/core/compile/backend_compile_duration"


jax.monitoring.register_event_duration_secs_listener(_count)
