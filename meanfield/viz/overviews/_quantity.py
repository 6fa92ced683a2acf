"""What a panel of an overview holds."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.mathtext import MathTextParser
from numpy.typing import NDArray

Numbers = NDArray[np.floating]


class Curves(NamedTuple):
    """Curves (x, middle, low, high, label) and exact ones beside them, None where there are none; `up` says
    what goes up where that is not the variable itself."""

    lines: list[tuple[Numbers, Numbers, Any, Any, str]]
    exact: list[tuple[Numbers, Numbers]]
    across: str
    legend: str
    xscale: str
    yscale: str
    up: str = ""


class Sheet(NamedTuple):
    """Values [y, x] over two axes of numbers."""

    x: Numbers
    y: Numbers
    values: Numbers
    across: str
    up: str
    xscale: str
    yscale: str
    equal: bool
    note: str


class Spread(NamedTuple):
    """Numbers by label."""

    labels: list[str]
    mid: Numbers
    low: Any
    high: Any
    yscale: str


class Cloud(NamedTuple):
    """Tokens on the circle or on S^2, and which."""

    points: Numbers
    note: str


Quantity = Curves | Sheet | Spread | Cloud


def named(values: xr.DataArray | xr.Variable, name: str) -> str:
    """A variable in words, with its unit."""
    unit = values.attrs.get("units", "1")
    return written(f"{values.attrs.get('long_name', name)}" + (f" [{unit}]" if unit != "1" else ""))


def written(text: str) -> str:
    """Text as it can be drawn: signs of mathematics that is none are signs."""
    try:
        if "$" in text:
            MathTextParser("path").parse(text)
    except ValueError:
        return text.replace("$", r"\$")
    return text


def scale(x: Iterable[float]) -> str:
    """Log where positive numbers are spaced more evenly so, over a factor of ten or more."""
    at = np.asarray(x, float)
    if len(at) < 3 or not (at > 0).all() or at.max() < 10 * at.min():
        return "linear"
    uneven = [np.std(np.diff(one)) / abs(np.mean(np.diff(one))) for one in (at, np.log(at))]
    return "log" if uneven[1] < 0.8 * uneven[0] else "linear"


def log_values(values: Numbers) -> str:
    """Log where numbers are positive, but for some zeros, over a factor of a thousand or more."""
    known = values[np.isfinite(values)]
    positive = known[known > 0]
    if (known < 0).any() or len(positive) < 0.7 * len(known) or not len(positive):
        return "linear"
    return "log" if positive.max() / 1000 > positive.min() else "linear"
