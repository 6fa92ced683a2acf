"""What several pictures share: the style of item k, frames drawn once, axes in units of pi."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from .._door import door

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
GREY = "0.65"
PALE = "0.85"


def style(k: int) -> dict[str, Any]:
    """Colour (and line style, if the current style sets them) of the k-th item."""
    cycle = list(mpl.rcParams["axes.prop_cycle"])
    return cycle[k % len(cycle)]


def colour(k: int) -> Any:
    """Colour of the k-th item."""
    return style(k).get("color", "black")


def marker(k: int) -> str:
    """Marker of the k-th item: eight shapes and seven colours make 56 pairs."""
    return MARKERS[k % len(MARKERS)]


def pale(shade: Any) -> tuple[float, float, float]:
    """The colour `shade`, two thirds of the way to white: opaque, so that it stays a vector."""
    red, green, blue = to_rgb(shade)
    return (red + 2) / 3, (green + 2) / 3, (blue + 2) / 3


def beyond(mappable: ScalarMappable) -> str:
    """Where values lie beyond the colour scale of `mappable`, as `extend` of a colour bar: neither, min,
    max, both."""
    values = np.ma.masked_invalid(np.ma.asarray(mappable.get_array())).compressed()
    low, high = mappable.get_clim()
    if low is None or high is None or values.size == 0:
        return "neither"
    below, above = bool(values.min() < low), bool(values.max() > high)
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get(
        (below, above), "neither"
    )


def colour_bar(mesh: ScalarMappable, ax: Axes, label: str | None, **settings: Any) -> None:
    """A colour bar for `mesh` beside `ax`, if there is a label for it."""
    figure = ax.figure
    if label is not None and figure is not None:
        figure.colorbar(mesh, ax=ax, label=label, **settings)


def outline(ax: Axes, edge: Patch, width: float, height: float) -> bool:
    """Whether `ax` was empty: then it becomes a bare plane around `edge`, drawn once.

    In either case these half-widths are in view.
    """
    if ax.name != "rectilinear":
        raise ValueError(f"expected plain axes, got {ax.name} ones; pass plt.subplots()[1].")
    if any(patch.get_gid() == "outline" for patch in ax.patches):
        width, height = max(width, ax.get_xlim()[1]), max(height, ax.get_ylim()[1])
        ax.set(xlim=(-width, width), ylim=(-height, height))
        return False
    edge.set(gid="outline", fill=False, edgecolor=GREY, linewidth=0.8, zorder=1.2)
    ax.add_patch(edge)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set(xlim=(-width, width), ylim=(-height, height))
    return True


def _fraction_of_pi(angle: float, _position: object = None) -> str:
    """The angle as text in units of pi, to the nearest quarter."""
    quarters = round(4 * angle / np.pi)
    common = int(np.gcd(quarters, 4))
    top, bottom = quarters // common, 4 // common
    if top == 0:
        return "0"
    sign, size = ("\N{MINUS SIGN}" if top < 0 else ""), ("" if abs(top) == 1 else abs(top))
    return f"{sign}{size}\N{GREEK SMALL LETTER PI}" + (f"/{bottom}" if bottom > 1 else "")


@door
def angle_ticks(axis: Axis) -> None:
    """Ticks at multiples of pi/4, pi/2, pi, ..., as many as the limits of `axis` can take.

    Call it once the limits stand: `angle_ticks(ax.yaxis)`.
    """
    low, high = sorted(axis.get_view_interval())
    step = np.pi / 4
    while high - low > 5 * step:
        step *= 2
    axis.set_major_locator(MultipleLocator(step))
    axis.set_major_formatter(FuncFormatter(_fraction_of_pi))
