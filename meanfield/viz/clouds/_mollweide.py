from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike

from ..._door import door
from .._axes import beyond, colour_bar, outline
from .._inputs import to_host


def _project(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mollweide's equal-area image: 2 t + sin 2t = pi sin(latitude), by bisection to rounding."""
    low, high = np.full_like(latitude, -np.pi / 2), np.full_like(latitude, np.pi / 2)
    for _ in range(54):
        t = (low + high) / 2
        small = 2 * t + np.sin(2 * t) < np.pi * np.sin(latitude)
        low, high = np.where(small, t, low), np.where(small, high, t)
    t = (low + high) / 2
    return np.sqrt(8) / np.pi * longitude * np.cos(t), np.sqrt(2) * np.sin(t)


def _frame(ax: Axes) -> None:
    if not outline(ax, Ellipse((0, 0), 2 * np.sqrt(8), 2 * np.sqrt(2)), 2.9, 1.47):
        return
    run = np.linspace(-np.pi / 2, np.pi / 2, 91)
    meridians = [_project(0 * run + a, run) for a in np.deg2rad([-120, -60, 0, 60, 120])]
    parallels = [_project(2 * run, 0 * run + b) for b in np.deg2rad([-60, -30, 0, 30, 60])]
    for curve in meridians + parallels:
        ax.plot(*curve, color="white", linewidth=0.3, linestyle="-", zorder=1.1)


def _centred(longitude: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell edges from -pi to pi, and the values in that order, the cell at the cut given twice."""
    wrapped = (longitude + np.pi) % (2 * np.pi) - np.pi
    order = np.argsort(wrapped)
    order = np.concatenate([order[-1:], order, order[:1]])
    centres = wrapped[order]
    centres[0] -= 2 * np.pi
    centres[-1] += 2 * np.pi
    middles = np.clip((centres[1:] + centres[:-1]) / 2, -np.pi, np.pi)
    return np.concatenate([[-np.pi], middles, [np.pi]]), values[:, order]


@door
def mollweide(
    ax: Axes,
    longitudes: ArrayLike,
    latitudes: ArrayLike,
    density: ArrayLike,
    label: str | None = None,
    **mesh: Any,
) -> QuadMesh:
    """A density on S^2 as a heat map of the whole sphere, with areas true to the sphere.

    `density` [b, a] at `latitudes` [b] in [-pi/2, pi/2], increasing, and `longitudes` [a] in
    radians, any start, covering one turn. The middle of the map is longitude 0 on the equator.
    `label` adds a colour bar; `mesh` goes to `pcolormesh` (`vmin`, `vmax`, `cmap`). A 128 by
    256 grid looks smooth in print. The heat map is an image inside vector output.

    Raises ValueError for shapes that do not fit and latitudes out of order or range.
    """
    along = to_host(longitudes, ("a",), "longitudes", "pass radians as one axis")
    up = to_host(latitudes, ("b",), "latitudes", "pass radians as one axis")
    values = to_host(density, (len(up), len(along)), "density", "put latitudes on the first axis")
    if (np.diff(up) <= 0).any() or np.abs(up).max() > np.pi / 2 + 1e-9:
        raise ValueError(
            "expected increasing latitudes in [-pi/2, pi/2], got others; sort the rows, in radians."
        )
    columns, values = _centred(along, values)
    rows = np.concatenate([[-np.pi / 2], (up[1:] + up[:-1]) / 2, [np.pi / 2]])
    _frame(ax)
    drawn = ax.pcolormesh(
        *_project(*np.meshgrid(columns, rows)), values, rasterized=True, zorder=1, **mesh
    )
    colour_bar(drawn, ax, label, shrink=0.7, extend=beyond(drawn))
    return drawn
