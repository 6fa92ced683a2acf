"""What measurements determine of parameters, and which combinations of them they do not."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..documents import Unknown
from ._residuals import Unknowns

RANK = 1e-6
"""Singular values below this share of the largest are none: runs and their derivatives are right to about
a thousandth of it."""
SINGLE = 1e-3
"""The same in single precision, of whose rounding it is some ten thousand."""
NORMAL = 1.959963984540054
"""What the two ends of a 95 % interval are from its middle, in standard errors."""


@dataclass(frozen=True)
class Determined:
    """Rank, standard errors and intervals of parameters, and directions that nothing determines."""

    rank: int
    covariance: Float[np.ndarray, "p p"]
    errors: Float[np.ndarray, " p"]
    intervals: list[tuple[float, float]]
    unidentified: tuple[dict[str, float], ...]


def determined(
    unknowns: Unknowns, theta: Float[np.ndarray, " p"], slopes: Float[np.ndarray, "m p"]
) -> Determined:
    """What the derivatives [m, p] of residuals in units of noise say of parameters.

    With J = U S V^T, of columns scaled by the sizes of parameters, the covariance is V S^-2 V^T over the
    singular values that are not zero; a parameter with a part in the rest of V is not determined.
    """
    sizes = unknowns.sizes(theta.tolist(), np.linalg.norm(slopes, axis=0).tolist())
    _, values, rows = np.linalg.svd(slopes * sizes, full_matrices=True)
    values = np.concatenate([values, np.zeros(len(theta) - len(values))])
    least = RANK if slopes.dtype.itemsize == 8 else SINGLE
    rank = int(np.sum(values > least * values[0])) if values[0] > 0 else 0
    kept, lost = rows[:rank] / values[:rank, None], rows[rank:]
    covariance = sizes * (kept.T @ kept) * sizes[:, None]
    errors = np.where((lost**2).sum(axis=0) > least, np.inf, np.sqrt(np.diag(covariance)))
    intervals = [
        _interval(row, v, e) for row, v, e in zip(unknowns.rows, theta, errors, strict=True)
    ]
    return Determined(
        rank, covariance, errors, intervals, tuple(_directions(unknowns.names, lost * sizes))
    )


def _interval(row: Unknown, value: float, error: float) -> tuple[float, float]:
    """The interval of 95 %: symmetric on the scale of the parameter, and within its bounds."""
    low, high = value - NORMAL * error, value + NORMAL * error
    if row.scale == "log":
        factor = np.exp(min(NORMAL * error / value, 700.0))
        low, high = value / factor, value * factor
    if row.bounds is not None:
        low, high = max(low, row.bounds[0]), min(high, row.bounds[1])
    return float(low), float(high)


def _directions(names: tuple[str, ...], lost: Float[np.ndarray, "r p"]) -> list[dict[str, float]]:
    """A basis of the directions, each with as many zeros as can be, its largest part 1."""
    rows = lost.copy()
    for k in range(len(rows)):  # by elimination, with the largest part that is left as the pivot
        pivot = int(np.abs(rows[k]).argmax())
        rows[k] /= rows[k, pivot]
        for other in range(len(rows)):
            if other != k:
                rows[other] -= rows[other, pivot] * rows[k]
    rows[np.abs(rows) < np.sqrt(RANK) * np.abs(rows).max(axis=1, keepdims=True, initial=0)] = 0
    return [{n: float(v) for n, v in zip(names, row, strict=True) if v} for row in rows]
