import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from ..._checks import check_integer, is_concrete
from ..._memory import dense_is_quick
from ..._typing import Scalar
from ...harmonics import Fourier, SphericalHarmonics
from ._base import AbstractEngine
from ._blockwise import Blockwise
from ._dense import Dense
from ._double_fourier import has_nufft
from ._guarded import Guarded
from ._harmonic import FEWEST_FOR_NUFFT, Harmonic, degree_for

FEWEST_PAIRS = 2**20
"""Pairs of tokens on the circle from which on harmonics are far quicker than the matrix."""
DEGREE, LARGEST_DEGREE = 64, 256
"""The degree where beta is known only at run time, good up to beta = 44; and the largest that is chosen."""
S2_DEGREE, S2_REACH = 32, 6.0
"""The degree on S^2, and the beta up to which it is right to rounding for uniform clouds."""


def chosen(
    engine: AbstractEngine | None,
    n: int,
    m: int | None,
    dtype: DTypeLike,
    beta: Scalar | None = None,
    d: int | None = None,
) -> AbstractEngine:
    """`engine`, or if it is None the quickest that sums n queries against m keys (n by default).

    Dense while the n x m matrix of this dtype is small, Blockwise beyond. In float64 many tokens
    that may lie on the circle or on S^2 (in R^d, with logits `beta` <x, y>) are summed by harmonics
    where those are right to rounding (`Guarded`); on S^2 with the extra `nufft`, on a processor.
    """
    n, m = check_integer(n, "n"), None if m is None else check_integer(m, "m")
    pairs, dtype = n * (m or n), jnp.result_type(dtype)
    quick = dense_is_quick(n, m or n, dtype.itemsize)
    exact = Dense() if quick else Blockwise()
    if engine is None and beta is not None and dtype == jnp.float64:
        harmonic = _harmonic(beta, d, pairs)
        exact = exact if harmonic is None else Guarded(harmonic, exact)
    return engine or exact


def _harmonic(beta: Scalar, d: int | None, pairs: int) -> Harmonic | None:
    """The harmonics that are quicker than so many pairs."""
    if d == 2 and pairs >= FEWEST_PAIRS:
        degree = _degree(beta)
        return None if degree is None else Harmonic(Fourier(degree))
    if d != 3 or pairs < FEWEST_FOR_NUFFT**2:
        return None
    if is_concrete(beta) and not 0 <= float(beta) <= S2_REACH:
        return None
    # The extra is mostly installed without what it needs on a GPU.
    here = has_nufft() and jax.default_backend() == "cpu"
    return Harmonic(SphericalHarmonics(S2_DEGREE)) if here else None


def _degree(beta: Scalar) -> int | None:
    """The degree that is right to rounding, in steps of 16, so that one program serves many beta."""
    if not is_concrete(beta):
        return DEGREE
    if not abs(float(beta)) < 1e4:
        return None
    degree = 16 * -(-degree_for(float(beta), 2, float(jnp.finfo(jnp.float64).eps)) // 16)
    return degree if degree <= LARGEST_DEGREE else None
