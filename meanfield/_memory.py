"""How large an array may be: what fits in memory, and what still fits in the caches."""

import os

import jax

LARGEST_DENSE = 2**25
"""Bytes of the largest n x m matrix that is built whole where the choice is ours: a larger one leaves
the caches, and is then no quicker than blocks."""


def available_memory() -> float:
    """Bytes that an array may take on the default device: the device's limit, or this machine's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return float(stats["bytes_limit"])
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def dense_is_quick(n: int, m: int, itemsize: int) -> bool:
    """Whether an n x m matrix is small enough to be built whole."""
    return n * m * itemsize <= LARGEST_DENSE
