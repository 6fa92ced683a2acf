from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Circle
from numpy.typing import ArrayLike

from ..._checks import check_integer
from ..._door import door
from .._axes import beyond, colour_bar
from .._inputs import to_host
from ._sphere import VIEW, Angles, axes_of, frame, view_on

PIXELS = 220
RIM = 0.998
"""Radius up to which contours go: beyond, the sphere is seen edge on."""


@door
def sphere_map(
    ax: Axes,
    f: Callable[[np.ndarray], ArrayLike],
    view: Angles | None = None,
    label: str | None = None,
    levels: int = 8,
    **image: Any,
) -> AxesImage:
    """A function or a density on S^2 as colours of the near side, with contours.

    `f` takes points [m, 3] and returns their values [m]: `lambda p: basis.evaluate(coeffs, p)` for
    coefficients of `SphericalHarmonics`, a density, an energy of a token among others. It is asked
    on the near side alone. `label` adds a colour bar; `image` goes to `imshow` (`vmin`, `vmax`,
    `cmap`); there are some `levels` contours. `view` as in `sphere_masses`, which draws discs over it.

    Raises ValueError for values that are not one finite number a point.
    """
    levels = check_integer(levels, "levels")
    view = view or view_on(ax) or VIEW
    right, up, toward = axes_of(view)
    line = (np.arange(PIXELS) + 0.5) / PIXELS * 2 - 1
    a, b = np.meshgrid(line, line)
    square = a**2 + b**2
    inside = square <= 1
    depth = np.sqrt(np.clip(1 - square, 0, 1))
    points = (a[..., None] * right + b[..., None] * up + depth[..., None] * toward)[inside]
    values = np.full(a.shape, np.nan)
    values[inside] = to_host(f(points), (len(points),), "f(points)", "return one value a point")
    frame(ax, view)
    for curve in ax.lines:
        if curve.get_gid() == "graticule":
            curve.set(color="white", alpha=0.25, zorder=0.8)
    drawn = ax.imshow(
        values, extent=(-1, 1, -1, 1), origin="lower", interpolation="bilinear", zorder=0.5, **image
    )
    drawn.set_clip_path(Circle((0, 0), 1, transform=ax.transData))
    spread = np.ptp(values[inside])
    if spread > 1e-9 * np.abs(values[inside]).max():
        seen = np.where(square <= RIM, values, np.nan)
        ax.contour(a, b, seen, levels, colors="white", linewidths=0.4, linestyles="-", zorder=0.7)
    colour_bar(drawn, ax, label, shrink=0.8, extend=beyond(drawn))
    return drawn
