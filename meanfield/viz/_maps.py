from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import ArrayLike

from .._door import door
from ._axes import beyond, colour_bar
from ._inputs import in_order, to_host


@door
def phase_map(
    ax: Axes, x: ArrayLike, y: ArrayLike, z: ArrayLike, label: str | None = None, **mesh: Any
) -> QuadMesh:
    """A heat map of `z` [len(y), len(x)] at the points (x, y), with a colour bar named `label`.

    x and y are increasing or falling, evenly spaced or not. The colours are the current style's (viridis by
    default: perceptually uniform, safe for every colour vision); `mesh` goes to `pcolormesh`. For
    a probability pass `vmin=0, vmax=1`, so that panels compare; a bar is pointed where values lie
    beyond the scale. NaN stays blank. `label=None` draws no bar: pass the returned mesh to
    `fig.colorbar` for one shared by several panels. The limits are the first and the last point, so
    that no axis runs on where nothing was computed: cells at the rim show their inner half.

    Raises ValueError for shapes that do not fit, and points in no order.
    """
    along = in_order(to_host(x, ("a",), "x", "pass the horizontal grid as one axis"), "x", True)
    up = in_order(to_host(y, ("b",), "y", "pass the vertical grid as one axis"), "y", True)
    values = to_host(z, (len(up), len(along)), "z", "put y on the first axis, or pass z.T", False)
    drawn = ax.pcolormesh(along, up, values, shading="nearest", rasterized=True, **mesh)
    for points, limit in ((along, ax.set_xlim), (up, ax.set_ylim)):
        if len(points) > 1:
            limit(points[0], points[-1])
    colour_bar(drawn, ax, label, pad=0.02, extend=beyond(drawn))
    return drawn


@door
def overlay_curve(
    ax: Axes, x: ArrayLike, y: ArrayLike, label: str | None = None, **line: Any
) -> Line2D:
    """A curve over a map: white with a black rim, so that it shows on every colour.

    `x` and `y` [q]; NaN and infinity leave gaps; the limits of `ax` stay. `line` goes to `plot`,
    where a `linestyle` tells two curves apart.

    Raises ValueError for shapes that do not fit.
    """
    along = to_host(x, ("q",), "x", "pass the curve's abscissae as one axis", False)
    up = to_host(y, (len(along),), "y", "pass one ordinate an abscissa", False)
    settings = {"color": "white", "linestyle": "-", "linewidth": 1.4} | line
    limits = ax.axis()
    (drawn,) = ax.plot(along, up, label=label, **settings)
    ax.axis(limits)
    rim = Stroke(linewidth=drawn.get_linewidth() + 1.2, foreground="black")
    drawn.set_path_effects([rim, Normal()])
    return drawn
