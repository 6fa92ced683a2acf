import numpy as np
from numpy.typing import ArrayLike

from ..._door import door
from .._inputs import masses_of, unit_points

Angles = tuple[float, float]
VIEWS = 2000
"""Directions that are tried, of equal areas: some two degrees apart."""
CELLS = 101
"""Cells along each axis to which many tokens are gathered first."""
TIE = 0.1
"""What depth counts among views that show as much."""
GOLDEN = np.pi * (3 - np.sqrt(5))


@door
def facing(x: ArrayLike, w: ArrayLike | None = None) -> Angles:
    """The view (longitude, latitude), in degrees, that shows most mass of tokens `x` [n, 3] on S^2.

    It maximizes, over directions u some two degrees apart, the mass `w` [n] that stands well in front,

        sum_i w_i s(z_i),   z_i = <u, x_i>,

    where s rises smoothly from the rim, z = 0, to a third of the globe, z = 1/2; of views that show as
    much, the one in which it stands farthest in front and the rest is nearest to the rim, since what
    is opposite to a cluster hides behind it. Pass it as `view=` to all that is drawn on one axis.

    Raises ValueError for shapes that do not fit, points off the sphere and negative weights.
    """
    points = unit_points(x, ("n", 3), "x")
    w = masses_of(w, len(points))
    if len(points) > VIEWS:
        points, w = _gathered(points, w)
    k = np.arange(VIEWS)
    z, turn = 1 - 2 * (k + 0.5) / VIEWS, k * GOLDEN
    ring = np.sqrt(1 - z**2)
    directions = np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=-1)
    u = directions[np.argmax(_shown(directions @ points.T) @ w)]
    return float(np.degrees(np.arctan2(u[1], u[0]))), float(np.degrees(np.arcsin(u[2])))


def _shown(z: np.ndarray) -> np.ndarray:
    ahead = np.clip(2 * z, 0, 1)
    return ahead**2 * (3 - 2 * ahead) + TIE * np.where(z > 0, z, 2 * z)


def _gathered(points: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middles of small cells with the mass that they hold: a degree makes no difference."""
    cells = np.minimum((points + 1) / 2 * CELLS, CELLS - 1).astype(int)
    _, key, which = np.unique(
        np.ravel_multi_index(tuple(cells.T), (CELLS,) * 3), return_index=True, return_inverse=True
    )
    return points[key], np.bincount(which, w)
