import jax.numpy as jnp
from jax.typing import DTypeLike

from ..._checks import check_integer, is_concrete
from ..._memory import dense_is_quick
from ..._typing import Scalar
from ...harmonics import Fourier
from ._base import AbstractEngine
from ._blockwise import Blockwise
from ._dense import Dense
from ._guarded import Guarded
from ._harmonic import Harmonic, degree_for

FEWEST_PAIRS = 2**20
"""Pairs of tokens on the circle from which on harmonics are far quicker than the matrix."""
DEGREE, LARGEST_DEGREE = 64, 256
"""The degree where beta is known only at run time, good up to beta = 90; and the largest that is chosen."""


def chosen(
    engine: AbstractEngine | None,
    n: int,
    m: int | None,
    dtype: DTypeLike,
    circle: Scalar | None = None,
) -> AbstractEngine:
    """`engine`, or if it is None the quickest that sums n queries against m keys (n by default).

    Dense while the n x m matrix of this dtype is small, Blockwise beyond. In float64 many tokens
    that may lie on the circle, pulled with the inverse temperature `circle`, are summed by harmonics
    where those are right to rounding (`Guarded`).
    """
    n, m = check_integer(n, "n"), None if m is None else check_integer(m, "m")
    pairs, dtype = n * (m or n), jnp.result_type(dtype)
    quick = dense_is_quick(n, m or n, dtype.itemsize)
    exact = Dense() if quick else Blockwise()
    if engine is None and circle is not None and dtype == jnp.float64 and pairs >= FEWEST_PAIRS:
        degree = _degree(circle)
        exact = exact if degree is None else Guarded(Harmonic(Fourier(degree)), exact)
    return engine or exact


def _degree(beta: Scalar) -> int | None:
    """The degree that is right to rounding, in steps of 16, so that one program serves many beta."""
    if not is_concrete(beta):
        return DEGREE
    if not abs(float(beta)) < 1e4:
        return None
    degree = 16 * -(-degree_for(float(beta), 2, float(jnp.finfo(jnp.float64).eps)) // 16)
    return degree if degree <= LARGEST_DEGREE else None
