"""A picture of any labelled dataset: one panel a variable."""

import math
import textwrap

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..._door import door
from .._axes import GREY
from .._maps import phase_map
from ..clouds import circle_masses, facing, sphere_masses
from ._layout import laid_out
from ._quantity import Cloud, Curves, Sheet, Spread, named, written

MOST_PANELS = 12
_WIDTH, _HEIGHT = 2.35, 1.95
_ALONE = 4.2, 3.2
_ROUNDING = 1e-16


@door
def overview(dataset: xr.Dataset, title: str = "") -> Figure:
    """A figure of its own with a panel for each variable of a labelled dataset, as its dimensions ask.

    Along the longest axis of numbers (time, where there is one) run curves, one for each of the other
    labels; where those are numbers too and many, a map. What each `run` came to is the share of runs with
    at most so much; of the times at which runs ended, the share that goes on. Over independent draws
    (`realization`, `sample`, `seed`, `token`, ...) stands the median with a band from the tenth to the
    ninetieth percentile; about a variable whose dataset has `<name>_low` and `<name>_high`, or
    `<name>_error`, the interval, or two standard errors. Names and units are those of the attributes
    `long_name` and `units`; axes are logarithmic where numbers are spaced so. Clouds of tokens on the circle
    or on S^2 are drawn by mass, at the last time. At most twelve panels; the title says what was left out.
    Save it by `.savefig(path)`.

    Raises ValueError where there is nothing to draw.
    """
    drawn = laid_out(dataset)
    if not drawn:
        raise ValueError(
            "expected variables with numbers along some dimension, got none; pass a result of a study."
        )
    shown, more = drawn[:MOST_PANELS], [name for name, _ in drawn[MOST_PANELS:]]
    columns = len(shown) if len(shown) < 4 else {4: 2, 5: 3, 6: 3, 9: 3}.get(len(shown), 4)
    rows = math.ceil(len(shown) / columns)
    size = _ALONE if len(shown) == 1 else (_WIDTH * columns, _HEIGHT * rows + 0.45)
    fig = Figure(figsize=size, layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False)
    for ax, (name, quantity) in zip(axes.flat, shown, strict=False):
        ax.set_title(_wrapped(named(dataset[name], name)), fontsize="medium")
        _PANELS[type(quantity)](ax, quantity)
    for ax in axes.flat[len(shown) :]:
        ax.remove()
    left_out = f"not drawn: {', '.join(more)}" if more else ""
    text = "\n".join(
        filter(None, (_wrapped(written(title), 30 * columns), _wrapped(left_out, 36 * columns)))
    )
    fig.suptitle(text, fontsize="medium")
    return fig


def _curves(ax: Axes, found: Curves) -> None:
    for x, mid, low, high, label in found.lines:
        few = np.isfinite(mid).sum() < 25 and not found.up
        (line,) = ax.plot(x, mid, label=label, marker="o" if few else None, markersize=2.5)
        if low is not None:
            ax.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    for x, values in found.exact:
        ax.plot(x, values, color="0.35", linestyle=(0, (2, 2)), linewidth=0.8, zorder=3)
    ax.set(xlabel=_wrapped(found.across, 30), xscale=found.xscale, yscale=found.yscale)
    whole = all((np.asarray(x, float) % 1 == 0).all() and len(x) > 2 for x, *_ in found.lines)
    if whole and found.xscale == "linear":  # no tick at half a token
        ax.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    if found.up:
        ax.set(ylabel=found.up, ylim=(0, 1.03))
    _tidy(ax, found)
    if any(label for *_, label in found.lines):
        ax.legend(
            fontsize="xx-small", title=_wrapped(found.legend, 30), title_fontsize="xx-small",
            handlelength=1.4, labelspacing=0.2, loc="best",
        )  # fmt: skip
    elif found.legend:
        ax.text(0.98, 0.02, found.legend, transform=ax.transAxes, ha="right", fontsize="xx-small",
                color=GREY)  # fmt: skip


def _tidy(ax: Axes, found: Curves) -> None:
    """Ticks at the points where there are few, and no decades of rounding."""
    x = np.unique(found.lines[0][0])
    if found.xscale == "log" and len(x) <= 8:
        ax.set_xticks(x, [f"{one:.3g}" for one in x], fontsize="x-small")
        ax.set_xticks([], minor=True)
    top = max(float(np.nanmax(line[1], initial=0.0)) for line in found.lines)
    if found.yscale == "log" and top < 1e3:
        ax.set_ylim(bottom=max(ax.get_ylim()[0], top * _ROUNDING))


def _sheet(ax: Axes, found: Sheet) -> None:
    phase_map(ax, found.x, found.y, found.values, label="")
    ax.set(xlabel=_wrapped(found.across, 38), ylabel=_wrapped(found.up, 30))
    ax.set(xscale=found.xscale, yscale=found.yscale)
    if found.equal:
        ax.set_aspect("equal")
    if found.note:
        ax.set_title(f"{ax.get_title()}\n({found.note})", fontsize="medium")


def _spread(ax: Axes, found: Spread) -> None:
    places = np.arange(len(found.labels))
    ax.bar(places, found.mid, 0.6, color="C0", alpha=0.85)
    if found.low is not None:
        off = np.abs(np.stack([found.mid - found.low, found.high - found.mid]))
        ax.errorbar(places, found.mid, off, fmt="none", ecolor="0.2", elinewidth=0.8, capsize=2)
    steep = len(found.labels) > 3 or max(map(len, found.labels)) > 12
    ax.set_xticks(places, [_wrapped(one, 18) for one in found.labels], fontsize="xx-small",
                  rotation=30 if steep else 0, ha="right" if steep else "center")  # fmt: skip
    ax.set(yscale=found.yscale)
    if found.yscale == "linear":
        ax.axhline(0.0, color="0.3", linewidth=0.5)


def _cloud(ax: Axes, cloud: Cloud) -> None:
    if cloud.points.shape[1] == 2:
        circle_masses(ax, cloud.points)
    else:
        sphere_masses(ax, cloud.points, view=facing(cloud.points))
    ax.text(
        0.5, -0.04, cloud.note, transform=ax.transAxes, ha="center", va="top", fontsize="x-small"
    )


def _wrapped(text: str, width: int = 34) -> str:
    return "\n".join(textwrap.wrap(text, width))


_PANELS = {Curves: _curves, Sheet: _sheet, Spread: _spread, Cloud: _cloud}
