from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from .._door import door
from ._axes import GREY
from ._inputs import Real, in_order, to_host


@door
def band(
    ax: Axes,
    x: ArrayLike,
    mid: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    label: str | None = None,
    **line: Any,
) -> tuple[Line2D, PolyCollection]:
    """A line `mid` with the interval from `low` to `high` about it, all [q] over `x` [q].

    `line` goes to `plot`. Say in the caption what the interval is (10/90 %, standard error, ...).
    Returns the line and the filled interval.

    Raises ValueError for shapes that do not fit and where low > high.
    """
    at = to_host(x, ("q",), "x", "pass the abscissae as one axis")
    centre, bottom, top = (
        to_host(v, (len(at),), name, "pass one value an abscissa")
        for v, name in ((mid, "mid"), (low, "low"), (high, "high"))
    )
    if (bottom > top).any():
        raise ValueError("expected low <= high everywhere, got the reverse; swap low and high.")
    (drawn,) = ax.plot(at, centre, label=label, **line)
    fill = ax.fill_between(at, bottom, top, color=drawn.get_color(), alpha=0.2, linewidth=0)
    return drawn, fill


@door
def staircase(
    ax: Axes,
    s: ArrayLike,
    energy: ArrayLike,
    plateaus: ArrayLike | None = None,
    label: str | None = None,
    **line: Any,
) -> Line2D:
    """An energy that climbs by steps, `energy` [q] over the rescaled time `s` [q].

    `plateaus` [p], such as sum m_k^2 / n^2 over the cluster sizes m_k, are drawn as thin levels
    with their values at the right; pass them once an axis. `line` goes to `plot`.

    Raises ValueError for shapes that do not fit.
    """
    at = to_host(s, ("q",), "s", "pass the times as one axis")
    values = to_host(energy, (len(at),), "energy", "pass one energy a time")
    (drawn,) = ax.plot(at, values, label=label, **line)
    if plateaus is not None:
        for level in to_host(plateaus, ("p",), "plateaus", "pass the levels as one axis"):
            ax.axhline(level, color=GREY, linewidth=0.6, linestyle="-", zorder=0)
            ax.text(
                1.02, level, f"{level:.3g}", transform=ax.get_yaxis_transform(),
                va="center", fontsize=mpl.rcParams["ytick.labelsize"], color="0.35",
            )  # fmt: skip
    return drawn


@door
def histogram_ridge(
    ax: Axes,
    centres: ArrayLike,
    counts: ArrayLike,
    labels: Sequence[str] | None = None,
    overlap: Real = 1.8,
) -> Sequence[PolyCollection]:
    """Histograms one behind the other, the first on top: `counts` [L, b] at bin `centres` [b].

    Every row is scaled to its own maximum and may rise `overlap` rows high, so shapes compare and
    heights do not. `labels` names the rows (their numbers by default); about ten are written.
    Returns one filled shape a row.

    Raises ValueError for shapes that do not fit, bins in no order, negative counts and fewer than 2 bins.
    """
    at = to_host(centres, ("b",), "centres", "pass the middle of each bin as one axis")
    at = in_order(at, "centres")
    rows = to_host(counts, ("L", len(at)), "counts", "put one histogram a row")
    if rows.min() < 0:
        raise ValueError("expected nonnegative counts, got a negative one; clip them at 0.")
    names = [str(i) for i in range(len(rows))] if labels is None else list(labels)
    if len(names) != len(rows):
        raise ValueError(
            f"expected {len(rows)} labels, got {len(names)}; pass one a row of counts."
        )
    if len(at) < 2:
        raise ValueError("expected 2 bins or more, got 1; bin more finely.")
    # Half a bin more on either side, so that the first and the last bin show whole.
    at = np.concatenate([[1.5 * at[0] - at[1] / 2], at, [1.5 * at[-1] - at[-2] / 2]])
    rows = np.pad(rows, ((0, 0), (1, 1)), mode="edge")
    base = np.arange(len(rows), dtype=float)
    tops = base[:, None] - overlap * rows / np.maximum(rows.max(axis=1, keepdims=True), 1e-300)
    shades = mpl.colormaps[mpl.rcParams["image.cmap"]](np.linspace(0.1, 0.85, len(rows)))
    ridges = [
        ax.fill_between(at, y, top, facecolor=shade, edgecolor="white", linewidth=0.5, zorder=2 + y)
        for y, top, shade in zip(base, tops, shades, strict=True)
    ]
    every = -(-len(rows) // 10)
    ax.set_yticks(base[::every], names[::every])
    ax.set(xlim=(at[0], at[-1]), ylim=(base[-1] + 0.2, -overlap - 0.1))
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ridges
