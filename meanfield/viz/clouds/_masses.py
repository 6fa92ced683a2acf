"""Clouds drawn by mass: coinciding tokens are one disc, as large as they are heavy."""

from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, HPacker, TextArea
from matplotlib.patches import Circle, Wedge
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from numpy.typing import ArrayLike, NDArray

from ..._checks import check_integer, check_positive
from ..._door import door
from .._axes import colour, outline
from .._inputs import Real, masses_of, point_labels, unit_points
from ._bundles import Bundles, bundled
from ._facing import facing
from ._sphere import Angles, frame, seen_from, view_on

FULL = 0.42
"""Radius of the disc of the whole mass, on the unit circle."""
NEAR = 0.02
"""Angle within which tokens are one disc: less than the radius of a disc."""
REACH = 1.2
"""Half the width of a globe's axis: discs stand out over the rim."""
RIM, BACK = 0.5, 0.8
"""How far toward white colours go behind: at the rim, and at the point opposite."""
FONT, LEAST_FONT = 8.0, 4.5
HALF_NUMBER = 0.3
"""How much of a disc's radius its number reaches from the middle."""


class Discs(NamedTuple):
    """What was drawn, those behind first, then the heaviest: centres [k, d], masses (their sum is 1),
    numbers of tokens, and whether a disc is behind [k]; the wedges of each disc, one a label; and the
    texts inside."""

    centres: NDArray[np.float64]
    masses: NDArray[np.float64]
    counts: NDArray[np.integer]
    behind: NDArray[np.bool_]
    wedges: list[list[Wedge]]
    numbers: list[Text]


@door
def sphere_masses(
    ax: Axes,
    x: ArrayLike,
    w: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    view: Angles | None = None,
    near: Real = NEAR,
    full: Real = FULL,
    behind: bool = True,
) -> Discs:
    """Tokens `x` [n, 3] on S^2 by mass: those that coincide are one disc with their number inside.

    A disc's area is proportional to its mass, the sum of `w` [n]: the radius of mass m is
    full * sqrt(m / total), on a globe of radius 1. Tokens linked by angles of at most `near` are one disc;
    where they have several `labels` [n], it is a pie. What is behind fades with its depth, or is left
    out (`behind=False`, over a `sphere_map`). `view` is the observer's longitude and latitude in degrees:
    by default that of the globe which is there, on an empty axis `facing(x, w)`, which shows most mass;
    films and rows of panels pass one to all. `mass_key` draws the legend of sizes.

    Raises ValueError for shapes that do not fit, points off the sphere and negative weights.
    """
    points = unit_points(x, ("n", 3), "x")
    seen = view or view_on(ax) or facing(points, w)
    frame(ax, seen, REACH)
    return _discs(ax, points, w, labels, near, full, lambda at: seen_from(at, seen), behind)


@door
def circle_masses(
    ax: Axes,
    x: ArrayLike,
    w: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    near: Real = NEAR,
    full: Real = FULL,
) -> Discs:
    """Tokens `x` [n, 2] on the unit circle by mass: those that coincide are one disc with their number
    inside.

    As `sphere_masses`, with nothing behind: areas are proportional to mass, the sum of `w` [n]; the radius
    of mass m is full * sqrt(m / total); those linked by angles of at most `near` are one disc, a pie
    where they have several `labels` [n].

    Raises ValueError for shapes that do not fit, points off the circle and negative weights.
    """
    points = unit_points(x, ("n", 2), "x")
    full = _length(full, "full")
    outline(ax, Circle((0, 0), 1), 1.05 + full, 1.05 + full)
    return _discs(ax, points, w, labels, near, full, lambda at: (at, np.ones(len(at))))


def _discs(ax: Axes, points, w, labels, near, full, project, behind=True) -> Discs:
    near, full = _length(near, "near"), _length(full, "full")
    w, groups = masses_of(w, len(points)), point_labels(labels, len(points))
    found = bundled(points, w, near)
    plane, depth = project(found.centres)
    radii = full * np.sqrt(found.masses)
    # What is behind first, then the heavier, so that the lighter lie on top.
    order = np.lexsort([-found.masses, depth >= 0])
    order = order if behind else order[depth[order] >= 0]
    wedges, numbers = [], []
    for at, k in enumerate(order.tolist()):
        parts = _parts(groups, w, found, k)
        wedges.append(
            [_wedge(ax, plane[k], float(radii[k]), part, float(depth[k])) for part in parts]
        )
        if not _covered(plane[k], float(radii[k]), plane[order[at + 1 :]], radii[order[at + 1 :]]):
            written = _number(ax, plane[k], float(radii[k]), int(found.counts[k]), float(depth[k]))
            if len(parts) > 1:
                for number in written:  # no colour is dark behind the whole of it
                    number.set_path_effects([withStroke(linewidth=1.5, foreground="0.2")])
            numbers += written
    hidden = depth[order] < 0
    return Discs(
        found.centres[order], found.masses[order], found.counts[order], hidden, wedges, numbers
    )


def _length(value: Real, name: str) -> float:
    """The defaults are good."""
    return float(check_positive(value, name))


def _covered(place, radius: float, places: np.ndarray, radii: np.ndarray) -> bool:
    """Whether one of the later discs lies over the number in the middle of this one."""
    return bool((np.linalg.norm(places - place, axis=-1) < radii + HALF_NUMBER * radius).any())


def _parts(groups, w, found: Bundles, k: int) -> list[tuple[int, float, float]]:
    """The labels of a bundle, with the angles between which each stands: its share of the mass."""
    who = np.flatnonzero(found.which == k) if found.counts[k] > 1 else found.first[k : k + 1]
    names, which = np.unique(groups[who], return_inverse=True)
    if len(names) == 1:
        return [(int(names[0]), 0.0, 360.0)]
    shares = np.bincount(which, w[who] if found.masses[k] > 0 else None)
    ends = (90 + 360 * np.concatenate([[0], np.cumsum(shares) / shares.sum()])).tolist()
    return [
        (name, low, high) for name, low, high in zip(names.tolist(), ends, ends[1:], strict=False)
    ]


def _wedge(ax: Axes, place, radius: float, part: tuple[int, float, float], depth: float) -> Wedge:
    name, start, end = part
    drawn = Wedge(
        tuple(place), radius, start, end, facecolor=_faded(colour(name), depth), gid=f"label {name}",
        edgecolor="white", linewidth=0.4, zorder=2 if depth < 0 else 4, clip_on=False,
    )  # fmt: skip
    ax.add_artist(drawn)  # the limits stand: to find new ones takes most of the time
    return drawn


def _faded(shade, depth: float) -> tuple[float, float, float]:
    """The colour, the paler the deeper behind: opaque, so that it stays a vector."""
    white = RIM + (BACK - RIM) * min(1.0, -depth) if depth < 0 else 0.0
    red, green, blue = ((1 - white) * part + white for part in to_rgb(shade))
    return red, green, blue


def _number(ax: Axes, place, radius: float, count: int, depth: float) -> list[Text]:
    """The number of tokens inside of their disc, where it can be read."""
    if count == 1:
        return []
    text = str(count)
    low, high = ax.get_xlim()
    points = radius / (high - low) * ax.get_window_extent().width * 72 / ax.figure.dpi
    size = min(FONT, 1.8 * points / np.hypot(0.7 * len(text), 0.73))  # of bold digits
    if size < LEAST_FONT:
        return []
    shade = "0.35" if depth < 0 else "white"
    return [ax.text(place[0], place[1], text, ha="center", va="center", size=size, color=shade,
                    weight="bold", zorder=2.5 if depth < 0 else 4.5)]  # fmt: skip


@door
def mass_key(ax: Axes, n: int, full: Real = FULL) -> AnchoredOffsetbox:
    """The legend of sizes below `ax`: circles as large as a disc of 1, some and half of `n` tokens of equal
    weight, to the scale of that axis. `full` as in `sphere_masses`. Call it last: it lays the figure out.

    Raises ValueError if n < 1.
    """
    n, full = check_integer(n, "n"), _length(full, "full")
    row, font = [], {"size": mpl.rcParams["legend.fontsize"]}
    for count in sizes(n):
        box = AuxTransformBox(ax.transData)
        box.add_artist(
            Circle((0, 0), full * np.sqrt(count / n), fill=False, edgecolor="0.4", linewidth=0.7)
        )
        row += [box, TextArea(str(count), textprops=font)]
    row.append(TextArea("token" if n == 1 else "tokens", textprops=font))
    packed = HPacker(children=row, align="center", pad=0, sep=4)
    key = AnchoredOffsetbox(
        "upper center", child=packed, frameon=False, bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes, borderpad=0.2, pad=0,
    )  # fmt: skip
    key.set_clip_on(False)  # what is clipped takes no room in a layout
    ax.add_artist(key)
    if (figure := ax.get_figure(root=True)) is not None:
        for _ in range(2):  # its size follows the axis', whose size follows the layout
            figure.draw_without_rendering()
    return key


def sizes(n: int) -> list[int]:
    """One token, a round number near a tenth, and one near half of them."""
    return sorted({1, *(_round(n * share) for share in (0.1, 0.5) if n * share > 1)})


def _round(value: float) -> int:
    """The largest of 1, 2, 5, 10, 20, ... that is at most `value`."""
    power = 10 ** int(np.log10(value))
    return int(max(step for step in (1, 2, 5) if step * power <= value) * power)
