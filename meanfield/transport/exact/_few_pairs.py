"""Least plans among few pairs, which those that would lower their cost join."""

import numpy as np
from jaxtyping import Float

from ._nearly import nearly
from ._network_simplex import Basis, among

_CHEAPEST = 16, 40
_IN_ALL = 12_000
"""Columns a row that are looked at first, at least and at most, and in between so many over their number:
where a column more costs little, a search more costs more."""
_MOST = 64
"""Pairs a point, beyond which the search among all is quicker."""
_ROUNDS = 6
_JOIN = 2
_BETTER = 0.1
"""Searches at most; pairs a point that may join at once, and where more would, the part of the best gain of
a column at which they do."""
_PIVOTS = 100
"""Pivots a point at most: where many pairs cost the same there is no end to be seen."""


def few_pairs(cost: Float[np.ndarray, "n m"], a, b) -> Basis | None:
    """A vertex of least cost for positive masses of the same sum, and dual potentials, to rounding.

    Of each row the pairs are looked at that are cheapest at prices nearly right, and others which have a
    plan. Pairs cheaper than the prices of their least plan say join, until there are none: that plan
    is the least of all. None where there are too many, or no end within some rounds.
    """
    n, m = cost.shape
    start = nearly(cost, a, b)
    if start is None:
        return None
    left, near = start.left, start.near | _cheapest(start.left)
    for _ in range(_ROUNDS):
        at = np.stack(np.divmod(np.flatnonzero(near), m))
        if at.shape[1] > _MOST * (n + m):
            return None
        found, rounding = among(at, left[*at], a, b, _PIVOTS * (n + m))
        if found is None:
            return None
        rest = left - found.f[:, None]
        rest -= found.g
        least = rest.min(axis=0)
        if least.min() >= -rounding:
            return found._replace(f=start.f + found.f, g=start.g + found.g)
        cheaper = rest < -rounding
        if cheaper.sum() > _JOIN * (n + m):
            cheaper = rest < np.minimum(_BETTER * least, -rounding)
        near |= cheaper
    return None


def _cheapest(left):
    """Of each row the cheapest pairs, and what is no dearer than those of a typical row."""
    m = left.shape[1]
    few = min(int(np.clip(_IN_ALL // m, *_CHEAPEST)), m) - 1
    small = left.astype(np.float32)
    last = np.partition(small, few, axis=1)[:, few]
    return small <= np.maximum(last, np.median(last))[:, None]
