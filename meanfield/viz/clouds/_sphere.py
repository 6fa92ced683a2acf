import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import ArrayLike

from ..._door import door
from .._axes import PALE, colour, marker, outline, pale
from .._inputs import Real, point_areas, point_labels, unit_points
from ._facing import facing

Angles = tuple[Real, Real]
VIEW: Angles = (30.0, 20.0)
_GLOBE = "_globe"
"""Begins the label of a rim; legends leave out what begins so."""


def axes_of(view: Angles) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The unit vectors to the right, up and toward the observer."""
    a, e = np.deg2rad(view)
    right = np.array([-np.sin(a), np.cos(a), 0])
    up = np.array([-np.sin(e) * np.cos(a), -np.sin(e) * np.sin(a), np.cos(e)])
    toward = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    return right, up, toward


def seen_from(points: np.ndarray, view: Angles) -> tuple[np.ndarray, np.ndarray]:
    """Orthographic image [..., 2] of points [..., 3], and how far each is on the near side."""
    right, up, toward = axes_of(view)
    return points @ np.stack([right, up], axis=-1), points @ toward


def _halves(points: np.ndarray, view: Angles) -> tuple[np.ndarray, np.ndarray]:
    """The image, and whether each point is on the near side."""
    plane, depth = seen_from(points, view)
    return plane, depth >= 0


def _split(plane: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A track [T, 2] as its near part and its far part, each with NaN where the other is.

    The far part reaches one save into the near part, so that no gap shows at the rim.
    """
    beside = near.copy()
    beside[1:] &= near[:-1]
    beside[:-1] &= near[1:]
    return np.where(near[:, None], plane, np.nan), np.where(beside[:, None], np.nan, plane)


def _graticule() -> list[np.ndarray]:
    """Parallels and meridians every 30 and 45 degrees, each [181, 3]."""
    turn = np.linspace(0, 2 * np.pi, 181)
    zero = np.zeros_like(turn)
    parallels = [
        np.stack([np.cos(b) * np.cos(turn), np.cos(b) * np.sin(turn), zero + np.sin(b)], -1)
        for b in np.deg2rad([-60, -30, 0, 30, 60])
    ]
    meridians = [
        np.stack([np.cos(a) * np.cos(turn), np.sin(a) * np.cos(turn), np.sin(turn)], -1)
        for a in np.deg2rad([0, 45, 90, 135])
    ]
    return parallels + meridians


def view_on(ax: Axes) -> Angles | None:
    """From where the globe on this axis is seen, if there is one."""
    for patch in ax.patches:
        match str(patch.get_label()).split():
            case [name, longitude, latitude] if name == _GLOBE:
                return float(longitude), float(latitude)
    return None


def frame(ax: Axes, view: Angles, reach: float = 1.06) -> None:
    """A bare plane with the rim and the near half of the graticule, drawn once."""
    rim = Circle((0, 0), 1, label=f"{_GLOBE} {float(view[0])!r} {float(view[1])!r}")
    if not outline(ax, rim, reach, reach):
        return
    for curve in _graticule():
        front, _ = _split(*_halves(curve, view))
        ax.plot(*front.T, color=PALE, linewidth=0.5, linestyle="-", zorder=0, gid="graticule")


@door
def sphere_points(
    ax: Axes,
    x: ArrayLike,
    w: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    view: Angles | None = None,
    area: Real = 20.0,
) -> list[PathCollection]:
    """Tokens `x` [n, 3] on S^2 seen from afar: filled on the near side, hollow and pale behind.

    Orthographic projection on a plain axis; `view` is the observer's longitude and latitude in
    degrees, the same for all that is drawn on one axis: by default that of the globe which is there,
    on an empty axis `facing(x, w)`. Areas by weight `w` [n] (mean `area`
    square points), one colour and marker a label. Returns a near and a far collection for each
    label in turn, either perhaps empty; the near ones are called "cluster k" for a legend.

    Raises ValueError for shapes that do not fit, points off the sphere and negative weights.
    """
    points = unit_points(x, ("n", 3), "x")
    groups = point_labels(labels, len(points))
    areas = point_areas(w, len(points), area)
    view = view or view_on(ax) or facing(points, w)
    plane, near = _halves(points, view)
    frame(ax, view)
    drawn = []
    for k in np.unique(groups).tolist():
        front, back = (groups == k) & near, (groups == k) & ~near
        drawn.append(ax.scatter(
            *plane[front].T, s=areas[front], color=colour(k), marker=marker(k),
            edgecolors="white", linewidths=0.4, zorder=4, label=f"cluster {k}",
        ))  # fmt: skip
        drawn.append(ax.scatter(
            *plane[back].T, s=0.6 * areas[back], facecolors="white", marker=marker(k),
            edgecolors=[pale(colour(k))], linewidths=0.8, zorder=2,
        ))  # fmt: skip
    return drawn


@door
def sphere_tracks(
    ax: Axes, history: ArrayLike, labels: ArrayLike | None = None, view: Angles | None = None
) -> list[Line2D]:
    """Paths of tokens on S^2, `history` [T, n, 3]: full lines on the near side, pale dots behind.

    Colours by `labels` [n]; `view` as in `sphere_points`, which marks the ends if called with
    `history[-1]`. Save often enough that a straight chord looks right (10 degrees or less).
    Returns a near and a far line for each token in turn.

    Raises ValueError for shapes that do not fit and points off the sphere.
    """
    points = unit_points(history, ("T", "n", 3), "history")
    groups = point_labels(labels, points.shape[1]).tolist()
    view = view or view_on(ax) or facing(points[-1])
    plane, near = _halves(points, view)
    frame(ax, view)
    drawn = []
    for i, k in enumerate(groups):
        front, back = _split(plane[:, i], near[:, i])
        drawn += ax.plot(*front.T, color=colour(k), linewidth=0.9, linestyle="-", zorder=3)
        drawn += ax.plot(*back.T, color=pale(colour(k)), linewidth=0.7, linestyle=":", zorder=1.5)
    return drawn
