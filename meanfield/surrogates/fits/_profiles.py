"""Profile likelihoods: how much the fit suffers where one parameter is held elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import optimize, stats

from ..._shown import OneLine
from ..documents import Unknown
from ..runs import Model
from ._data import Series, series_of
from ._fit import Fit, optimum
from ._noisy import Optimum
from ._residuals import Unknowns, arrays_of, unknowns_of

DOUBLINGS = 24
"""An end that is not reached within 2^24 first steps, or between the bounds, is none."""
WORSE = 1e-5
"""By how much a deviance may fall below that of the fit before it was none: fits end at a tolerance."""


@dataclass(frozen=True, repr=False)
class Profile(OneLine):
    """The likelihood of one parameter where all others are fitted anew.

        deviance(c) = 2 max log L - 2 max {log L : parameter = c}

    - `log`: whether the parameter has a logarithmic scale, on which it is searched and drawn evenly.
    - `interval`: where the deviance is below the `threshold`, the quantile of chi-squared with one degree of
      freedom at the `level`; an end that is nowhere `searched` is infinite.
    - `limited_by`: other parameters that are on a bound of theirs at an end, so that the bound decides it.
    - `values`, `deviances`: the curve over the interval; `others`: what the other parameters are along it.
    - `converged`: whether all fits were, and none was better than that with all parameters free.

    Source: Wilks, Ann. Math. Stat. 9 (1938) 60; Raue et al., Bioinformatics 25 (2009) 1923.
    """

    symbol: str
    log: bool
    interval: tuple[float, float]
    level: float
    threshold: float
    searched: tuple[float, float]
    limited_by: tuple[str, ...]
    values: Float[np.ndarray, " k"]
    deviances: Float[np.ndarray, " k"]
    others: dict[str, np.ndarray]
    converged: bool

    @property
    def determined(self) -> bool:
        """Whether the likelihood itself bounds the parameter on both sides."""
        low, high = self.interval
        return low > (0.0 if self.log else -np.inf) and high < np.inf and not self.limited_by


class Walk:
    """Fits along one parameter, each from where the last one ended. Positions are on its scale."""

    def __init__(self, model: Model, unknowns: Unknowns, data: list[Series], fit: Fit, place: int):
        self.row, self.best = unknowns.rows[place], min(fit.deviances)
        self.unknowns, self.middle = unknowns, unknowns.free([*fit.values.values()])
        self.free, self.ok, values = self.middle, True, arrays_of(data)
        there, layouts = jnp.arange(len(unknowns.names)) == place, [each.layout for each in data]
        self.solve: Callable[[float, np.ndarray], Optimum] = lambda value, free: optimum(
            model, unknowns, layouts, jnp.asarray(free), values, (there, jnp.asarray(value))
        )

    def again(self) -> None:
        """Starts from the fit."""
        self.free = self.middle

    def deviance(self, position: float) -> float:
        """The deviance where the parameter is held."""
        found = self.solve(natural(self.row, position), self.free)
        self.free = np.asarray(found.free)
        value = 2 * float(found.loss) - self.best
        self.ok &= bool(found.ok) and value > -WORSE * max(1.0, abs(self.best))
        return max(value, 0.0)


def natural(row: Unknown, position: float) -> float:
    """The parameter at a position on its scale."""
    return float(np.exp(position)) if row.scale == "log" else float(position)


def position_of(row: Unknown, value: float) -> float:
    """The position of a parameter on its scale."""
    return float(np.log(value)) if row.scale == "log" else float(value)


def profile(model: Model, symbol: str, data: Any, fit: Fit, level: float, points: int) -> Profile:
    """The profile of one parameter; see `Surrogate.profile`."""
    unknowns, series = unknowns_of(model), series_of(model, data)
    place = unknowns.names.index(symbol)
    walk, row = Walk(model, unknowns, series, fit, place), unknowns.rows[place]
    threshold = float(stats.chi2(1).ppf(level))
    middle, step = position_of(row, fit.values[symbol]), _first_step(row, fit, symbol, threshold)
    if walk.deviance(middle) > max(WORSE * max(1.0, abs(walk.best)), threshold / 2):
        raise ValueError(
            "expected the fit of these data, got one of others; pass fit=surrogate.fit(data), or none."
        )
    ends, limits = [], []
    for sign in (-1.0, 1.0):
        walk.again()
        ends.append(_end(walk, row, middle, sign * step, threshold))
        limits += _on_bounds(unknowns, walk.free, symbol) if ends[-1][1] else []
    positions = np.linspace(ends[0][0], ends[1][0], points)
    deviances, frees = _curve(walk, middle, positions)
    others = np.array([np.asarray(unknowns.natural(jnp.asarray(each))) for each in frees])
    (low, at_low), (high, at_high) = ends
    whole = natural(row, low), natural(row, high)
    none = 0.0 if row.scale == "log" else -np.inf
    return Profile(
        symbol,
        row.scale == "log",
        (whole[0] if at_low else none, whole[1] if at_high else np.inf),
        level,
        threshold,
        whole,
        tuple(dict.fromkeys(limits)),
        np.array([natural(row, each) for each in positions]),
        deviances,
        {n: others[:, k] for k, n in enumerate(unknowns.names) if n != symbol},
        walk.ok,
    )


def _first_step(row: Unknown, fit: Fit, symbol: str, threshold: float) -> float:
    """From the fit to where a quadratic deviance would reach the threshold; else a tenth of what it is."""
    value, error = fit.values[symbol], fit.errors[symbol]
    per = 1 / value if row.scale == "log" else 1.0
    if 0 < error < np.inf:
        return float(np.sqrt(threshold) * error * abs(per))
    return 0.1 if row.scale == "log" else 0.1 * (abs(value) or 1.0)


def _end(walk: Walk, row: Unknown, middle: float, step: float, threshold: float):
    """The position on one side at which the deviance reaches the threshold, and whether it does; else the
    last one that was looked at."""
    bound = None
    if row.bounds is not None:
        bound = position_of(row, row.bounds[0 if step < 0 else 1])
    inside, within = middle, 0.0
    for k in range(DOUBLINGS):
        outside = middle + step * 2.0**k
        last = bound is not None and abs(outside - middle) >= abs(bound - middle)
        outside = bound if last and bound is not None else outside
        found = walk.deviance(outside)
        if found > threshold:
            return _root(walk, (inside, within), (outside, found), threshold), True
        inside, within = outside, found
        if last or not np.isfinite(natural(row, middle + step * 2.0 ** (k + 1))):
            break
    return inside, False


def _root(
    walk: Walk, near: tuple[float, float], far: tuple[float, float], threshold: float
) -> float:
    """Where the deviance is the threshold, between positions at which it is below and above."""
    (inside, _), (outside, _), known = near, far, dict((near, far))
    gap = abs(outside - inside)
    if gap == 0:
        return inside

    def excess(u: float) -> float:
        # another search at the same position may end elsewhere, by its tolerance
        return (known[u] if u in known else walk.deviance(u)) - threshold

    found: Any = optimize.brentq(excess, inside, outside, xtol=1e-10 * gap, rtol=np.float64(1e-13))
    walk.deviance(found)
    return float(found)


def _curve(walk: Walk, middle: float, positions: np.ndarray):
    """Deviances at positions, from the middle outwards on either side, and the free numbers there."""
    found: dict[int, tuple[float, np.ndarray]] = {}
    right = [k for k, each in enumerate(positions) if each >= middle]
    left = [k for k, each in reversed([*enumerate(positions)]) if each < middle]
    for side in (left, right):
        walk.again()
        for k in side:
            found[k] = walk.deviance(positions[k]), walk.free
    rows = [found[k] for k in range(len(positions))]
    return np.array([each for each, _ in rows]), [free for _, free in rows]


def _on_bounds(unknowns: Unknowns, free: np.ndarray, symbol: str) -> list[str]:
    return [
        row.symbol
        for row, each in zip(unknowns.rows, free, strict=True)
        if row.symbol != symbol and unknowns.on_bound(row, each)
    ]
