import math
from collections.abc import Mapping
from itertools import cycle

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .._checks import shown
from .._door import door
from ._inputs import to_host

STYLES = "-", "--", "-.", ":"
"""Of the curves of a panel, so that one is seen below another that is equal."""


@door
def small_multiples(
    panels: Mapping[str, Mapping[str, ArrayLike]], columns: int = 4, xlabel: str = "layer"
) -> Figure:
    """A figure of its own with one small axis a panel: quantities side by side over one abscissa.

    `panels` has titles, and for each its curves by label: arrays [q, 2] of abscissae and values, or
    [q, 4] with the ends of an interval after them, which is filled. Gaps are NaN; an interval that is
    NaN is not drawn. Legends are drawn where a panel has several curves. There are `columns` of panels, or
    one more where the last panel would stand alone, with `xlabel` below the last. Save it by
    `.savefig(path)`.

    Raises ValueError for curves of other shapes, and if there is no panel.
    """
    if not panels or columns < 1:
        raise ValueError(
            f"expected a panel and a column or more, got {shown([*panels])} in {columns}; pass "
            "panels={'title': {'': curve}}."
        )
    alone = len(panels) % columns == 1 and 1 < columns < len(panels)
    columns = min(columns + alone, len(panels))
    rows = math.ceil(len(panels) / columns)
    fig = Figure(figsize=(2.6 * columns, 1.9 * rows), layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False, sharex=True)
    for ax, (title, curves) in zip(axes.flat, panels.items(), strict=False):
        for style, (label, curve) in zip(cycle(STYLES), curves.items(), strict=False):
            _draw(ax, label, curve, style)
        ax.set_title(title, fontsize="small")
        if len(curves) > 1:
            ax.legend(fontsize="x-small", frameon=False, handlelength=1.2)
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    for ax in axes.flat[max(len(panels) - columns, 0) : len(panels)]:
        ax.set_xlabel(xlabel)
        ax.tick_params(labelbottom=True)
    return fig


def _draw(ax, label: str, curve: ArrayLike, style: str) -> None:
    width = 4 if np.ndim(curve) == 2 and np.shape(curve)[1] == 4 else 2
    remedy = "pass abscissae and values as columns, and the ends of an interval after them"
    values = to_host(curve, ("q", width), f"the curve {label!r}", remedy, finite=False)
    thick = mpl.rcParams["lines.linewidth"]
    (line,) = ax.plot(values[:, 0], values[:, 1], label=label, linewidth=thick, linestyle=style)
    if width == 4:
        x, _, low, high = values.T
        ax.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
