"""Gegenbauer polynomials and their quadrature on the host: what the bases are built of.

On S^{d-1} the polar cosine t = <x, e> of a uniform point x has the law
w(t) dt = c_d (1 - t^2)^{(d-3)/2} dt. Its orthonormal polynomials p_k obey

    t p_k = b_{k+1} p_{k+1} + b_k p_{k-1},    b_k^2 = k (k + d - 3) / ((2k + d - 2)(2k + d - 4)),

and b_1^2 = 1/2 at d = 2. They differ only in scale from P_k, which is 1 at t = 1:
p_k = sqrt(N(d, k)) P_k, with N(d, k) the number of harmonics of degree k.

Tables are computed in numpy's extended precision, where the machine has it, and rounded once: that
gains two digits, and the range that p_k^2 needs at large d.
"""

import functools
import itertools
from collections.abc import Iterator
from typing import TypeVar, cast

import jax
import numpy as np
import scipy

from .._checks import as_array, check_dimension, check_precision

_Numbers = TypeVar("_Numbers", np.ndarray, jax.Array)


def off_diagonal(d: int, degree: int) -> np.ndarray:
    """b_1 .. b_degree: the off-diagonal of multiplication by t in the basis p_k."""
    k = np.arange(1, degree + 1).astype(np.longdouble)
    if d == 2:
        return np.sqrt(np.where(k == 1, 0.5, 0.25).astype(np.longdouble))
    return np.sqrt(k * (k + d - 3) / ((2 * k + d - 2) * (2 * k + d - 4)))


def rungs(d: int, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """alpha and gamma [degree] of the upward step p_{k+1} = alpha_k t p_k - gamma_k p_{k-1}."""
    b = off_diagonal(d, degree)
    return 1 / b, np.concatenate([b[:1] * 0, b[:-1] / b[1:]])


def orthonormal(d: int, degree: int, t: np.ndarray) -> np.ndarray:
    """p_0 .. p_degree at t [q], as [q, degree + 1]."""
    table = np.ones((degree + 1, t.size), t.dtype)
    for k, (alpha, gamma) in enumerate(zip(*rungs(d, degree), strict=True)):
        table[k + 1] = alpha * t * table[k] - gamma * table[k - 1]
    return table.T


def orthonormal_slopes(d: int, degree: int, t: np.ndarray) -> np.ndarray:
    """p_0' .. p_degree' at t [q], as [q, degree + 1].

    p_k' = sqrt(k (k + d - 2) d / (d - 1)) p_{k-1} of dimension d + 2.
    """
    k = np.arange(1, degree + 1).astype(t.dtype)
    scale = np.sqrt(k * (k + d - 2) * d / (d - 1))
    return np.pad(scale * orthonormal(d + 2, degree - 1, t), ((0, 0), (1, 0)))


def zonal_polynomials(d: int, t: _Numbers) -> Iterator[_Numbers]:
    """P_0, P_1, ... of S^{d-1} at polar cosines t, without end: P_k(1) = 1, and |P_k| <= 1 on [-1, 1].

    The recurrence (k + d - 2) P_{k+1} = (2k + d - 2) t P_k - k P_{k-1} is stable there, at any d; it is
    Chebyshev's for d = 2, Legendre's for d = 3. `t` is of numpy or jax, in any precision.
    """
    # In jax's hands extended precision of numpy would be lost.
    if not isinstance(t, np.ndarray) or t.dtype not in (np.float64, np.longdouble):
        t = cast(_Numbers, check_precision(as_array(t, "t"), "t"))
    return _polynomials(check_dimension(d, least=2), t)


def _polynomials(d: int, t: _Numbers) -> Iterator[_Numbers]:
    last, value = 0 * t + 1, t
    yield last
    for k in itertools.count(1):
        yield value
        last, value = value, ((2 * k + d - 2) * t * value - k * last) / (k + d - 2)


def zonal(d: int, degree: int, t: np.ndarray) -> np.ndarray:
    """P_0 .. P_degree at t [q], as [q, degree + 1]."""
    return np.stack([*itertools.islice(zonal_polynomials(d, t), degree + 1)], axis=1)


@functools.lru_cache(maxsize=32)
def gauss(d: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The n nodes (ascending) and weights (of sum 1) that integrate degree 2n - 1 exactly against w.

    The nodes are the eigenvalues of the recurrence (Golub and Welsch 1969, doi:10.2307/2004418),
    refined by one Newton step. The weights are the Christoffel numbers 1 / sum_k p_k(t)^2: those
    from eigenvectors keep only absolute accuracy, and at large d the smallest of them, with which
    the peak of a kernel is multiplied, are all noise.
    """
    off = off_diagonal(d, n - 1).astype(float)
    t = np.asarray(scipy.linalg.eigvalsh_tridiagonal(np.zeros(n), off), dtype=np.longdouble)
    t = (t - t[::-1]) / 2
    t = t - orthonormal(d, n, t)[:, n] / orthonormal_slopes(d, n, t)[:, n]
    weights = 1 / np.sum(orthonormal(d, n - 1, t) ** 2, axis=1)
    return t, weights


@functools.lru_cache(maxsize=16)
def funk_hecke_rule(d: int, degree: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes t [n] and a matrix [degree + 1, n] that takes f(t) to int f P_k w dt."""
    t, weights = gauss(d, n)
    return t.astype(float), (weights[:, None] * zonal(d, degree, t)).T.astype(float)
