from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from .._door import door
from ._axes import GREY, colour, marker
from ._inputs import Real, to_host

# Where the corners of a reference triangle are between the smallest and the largest step.
CORNERS = np.array([0.12, 0.4])


class Fit(NamedTuple):
    """A fitted order of convergence: error ~ h^slope, and the standard error of the slope."""

    slope: float
    stderr: float


def _fit(log_h: np.ndarray, log_error: np.ndarray) -> tuple[Fit, np.ndarray]:
    """Least-squares line through the points: its slope, with standard error, and its values."""
    h = log_h - log_h.mean()
    slope = h @ log_error / (h @ h)
    line = log_error.mean() + slope * h
    spread = np.sum((log_error - line) ** 2) / (len(h) - 2)
    return Fit(float(slope), float(np.sqrt(spread / (h @ h)))), line


def _triangle(ax: Axes, h: np.ndarray, line: np.ndarray, order: Real) -> None:
    """A triangle of slope `order` under the fitted line, at small steps, where orders fan out."""
    a, b = h.min() ** (1 - CORNERS) * h.max() ** CORNERS
    low = np.exp(np.interp(np.log([a, b]), np.log(h), line) - order * np.log([a, b])).min()
    left, right = 0.4 * low * a**order, 0.4 * low * b**order
    ax.plot([a, b, b, a], [left, left, right, left], color=GREY, linewidth=0.8, linestyle="-")
    text = {"textcoords": "offset points", "fontsize": mpl.rcParams["xtick.labelsize"]}
    side, va = (-3, "top") if order > 0 else (3, "bottom")  # outside of the triangle
    ax.annotate("1", (np.sqrt(a * b), left), (0, side), ha="center", va=va, **text)
    ax.annotate(f"{order:g}", (b, np.sqrt(left * right)), (3, 0), va="center", **text)


@door
def convergence(
    ax: Axes, h: ArrayLike, error: ArrayLike, label: str, order: Real | None = None, k: int = 0
) -> Fit:
    """Errors `error` [q] against step sizes `h` [q] in logarithmic scales, with the fitted order.

    log error = slope log h + constant by least squares over all the points: leave out those that
    rounding or a coarse step spoils. The legend says "label: slope +- standard error"; `order` adds
    a reference triangle of the expected slope. `k` picks colour and marker, one a curve.
    Returns the `Fit(slope, stderr)`.

    Raises ValueError for shapes that do not fit, fewer than 3 points, equal steps, and numbers
    that have no logarithm.
    """
    steps = to_host(h, ("q",), "h", "pass the step sizes as one axis")
    values = to_host(error, (len(steps),), "error", "pass one error a step size")
    if len(steps) < 3 or len(np.unique(steps)) < len(steps):
        raise ValueError(
            f"expected 3 or more different step sizes h, got {steps.tolist()}; "
            "a slope has no standard error otherwise: add runs, average repeated ones."
        )
    if min(steps.min(), values.min()) <= 0:
        raise ValueError("expected h > 0 and error > 0, got others; drop the points at 0.")
    rising = np.argsort(steps)
    steps, values = steps[rising], values[rising]
    fit, line = _fit(np.log(steps), np.log(values))
    ax.loglog(
        steps, values, color=colour(k), marker=marker(k), linestyle="none",
        label=f"{label}: {fit.slope:.2f} \N{PLUS-MINUS SIGN} {fit.stderr:.2f}",
    )  # fmt: skip
    ax.plot(steps, np.exp(line), color=colour(k), linewidth=0.8, linestyle="-", zorder=1.5)
    if order is not None:
        _triangle(ax, steps, line, order)
    ax.legend(title="fitted order", title_fontsize=mpl.rcParams["legend.fontsize"])
    return fit
