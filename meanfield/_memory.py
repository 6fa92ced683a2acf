"""How large an array may be: what fits in memory, and what still fits in the caches."""

import math
import os

import jax

LARGEST_DENSE = 2**25
"""Bytes of the largest n x m matrix that is built whole where the choice is ours: a larger one leaves
the caches, and is then no quicker than blocks."""


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
