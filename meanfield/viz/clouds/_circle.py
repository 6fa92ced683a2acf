import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Polygon
from numpy.typing import ArrayLike

from ..._checks import check_positive
from ..._door import door
from .._axes import angle_ticks, colour, marker, outline, style
from .._inputs import Real, in_order, point_areas, point_labels, times, to_host, unit_points

HIDES = 0.12
"""Distance within which markers of usual size hide each other."""


def _frame(ax: Axes, reach: float) -> None:
    outline(ax, Circle((0, 0), 1), reach, reach)


@door
def circle_points(
    ax: Axes,
    x: ArrayLike,
    w: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    area: Real = 24.0,
) -> list[PathCollection]:
    """Tokens `x` [n, 2] on the unit circle, areas by weight `w` [n], one colour and marker a label.

    `area` is the mean marker area in square points. A token that lies under one of a later label is
    drawn larger, as a ring around it: none is hidden. Returns one collection a label, in increasing
    order, each called "cluster k" for a legend. The same label looks the same in every panel.

    Raises ValueError for shapes that do not fit, points off the circle and negative weights.
    """
    points = unit_points(x, ("n", 2), "x")
    groups = point_labels(labels, len(points))
    areas = point_areas(w, len(points), area) * (1 + _covers(points, groups)) ** 2
    _frame(ax, reach=1.15)
    return [
        ax.scatter(
            *points[groups == k].T, s=areas[groups == k], color=colour(k), marker=marker(k),
            edgecolors="white", linewidths=0.4, zorder=3, label=f"cluster {k}",
        )
        for k in np.unique(groups).tolist()
    ]  # fmt: skip


def _covers(points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """For each point, the number of later labels that come within HIDES of it, over 2."""
    near = np.linalg.norm(points[:, None] - points, axis=-1) < HIDES
    later = [near[:, groups == k].any(axis=1) & (groups < k) for k in np.unique(groups)]
    return np.sum(later, axis=0) / 2


@door
def circle_tracks(
    ax: Axes, history: ArrayLike, ts: ArrayLike | None = None, labels: ArrayLike | None = None
) -> list[Line2D]:
    """Angles of tokens against time, unwrapped: a space-time plot of the circle.

    `history` [T, n, 2] at the times `ts` [T] (0, 1, 2, ... by default); colour and line style by
    `labels` [n]. Between two saves a token must turn by less than pi. Angles start in (-pi, pi].
    Returns one line a token.

    Raises ValueError for shapes that do not fit and points off the circle.
    """
    points = unit_points(history, ("T", "n", 2), "history")
    groups = point_labels(labels, points.shape[1]).tolist()
    at = times(ts, len(points))
    angles = np.unwrap(np.arctan2(points[..., 1], points[..., 0]), axis=0)
    lines = [ax.plot(at, angle, **style(k))[0] for angle, k in zip(angles.T, groups, strict=True)]
    ax.set(xlabel="time", ylabel="angle")
    ax.margins(x=0)
    angle_ticks(ax.yaxis)
    return lines


@door
def density_circle(
    ax: Axes, angles: ArrayLike, rho: ArrayLike, height: Real = 0.6, k: int = 0
) -> Polygon:
    """A density on the circle as a ring: radius 1 + height * rho / max(rho) over the angle.

    `angles` [q] in radians, in increasing order over one turn, `rho` [q] nonnegative up to
    rounding; `k` picks the colour. Returns the filled ring.

    Raises ValueError for shapes that do not fit, angles in another order or of more than a turn, and
    densities that are nowhere positive.
    """
    height = float(check_positive(height, "height", "pass height=0.6"))
    at = in_order(to_host(angles, ("q",), "angles", "pass the angles as one axis"), "angles")
    if at[-1] - at[0] > 2 * np.pi * (1 + 1e-6):  # the first may be there again, but for rounding
        raise ValueError(
            f"expected angles over one turn, got {at[0]:g} to {at[-1]:g}; pass radians of one turn."
        )
    values = to_host(rho, (len(at),), "rho", "pass one value an angle")
    if values.max() <= 0:
        raise ValueError("expected rho > 0 somewhere, got none; pass a density.")
    at, values = np.append(at, at[0]), np.append(values, values[0])
    rim = np.stack([np.cos(at), np.sin(at)], axis=-1)
    outer = (1 + height * values / values.max())[:, None] * rim
    _frame(ax, reach=1.1 + height)
    ax.plot(*outer.T, color=colour(k), linewidth=1, linestyle="-", zorder=2)
    ring = np.concatenate([outer, rim[::-1]])
    filled = Polygon(ring, facecolor=colour(k), alpha=0.25, edgecolor="none", zorder=2)
    ax.add_patch(filled)
    return filled
