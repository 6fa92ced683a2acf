from ._blockwise import Blockwise
from ._dense import Dense
from ._engine import AbstractEngine

LARGEST_DENSE = 2**25
"""Bytes of the largest matrix that `engine=None` builds whole: a larger one leaves the caches, and
is then no quicker than blocks."""


def choose(n: int, m: int, itemsize: int) -> AbstractEngine:
    """Dense while the n x m matrix is small, Blockwise beyond."""
    return Dense() if n * m * itemsize <= LARGEST_DENSE else Blockwise()
