import jax.numpy as jnp
from jax.typing import DTypeLike

from ..._checks import check_integer
from ..._memory import dense_is_quick
from ._base import AbstractEngine
from ._blockwise import Blockwise
from ._dense import Dense


def chosen(
    engine: AbstractEngine | None, n: int, m: int | None, dtype: DTypeLike
) -> AbstractEngine:
    """`engine`, or if it is None the quickest that sums n queries against m keys (n by default).

    Dense while the n x m matrix of this dtype is small, Blockwise beyond.
    """
    n, m = check_integer(n, "n"), None if m is None else check_integer(m, "m")
    quick = dense_is_quick(n, m or n, jnp.result_type(dtype).itemsize)
    return engine or (Dense() if quick else Blockwise())
