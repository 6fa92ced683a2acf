from .._memory import dense_is_quick
from ._blockwise import Blockwise
from ._dense import Dense
from ._engine import AbstractEngine


def choose(n: int, m: int, itemsize: int) -> AbstractEngine:
    """Dense while the n x m matrix is small, Blockwise beyond."""
    return Dense() if dense_is_quick(n, m, itemsize) else Blockwise()
