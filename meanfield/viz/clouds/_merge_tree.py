from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from numpy.typing import ArrayLike

from ..._checks import check_positive
from ..._door import door
from .._axes import colour
from .._inputs import Real, masses_of, point_labels, to_host
from ._tree import Events, Tree, events_of, tree

THICK = 0.5
"""Share of the mass between two bars' middles that a bar takes."""


class Branches(NamedTuple):
    """What was drawn: a bar a token and a merge, and a line a merge between the bars that it joins."""

    bars: PolyCollection
    joins: LineCollection


@door
def merge_tree(
    ax: Axes,
    merges: Any,
    w: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    end: Real | None = None,
) -> Branches:
    """Who merged with whom: `merges` of a run, over the logarithm of time.

    Bars are as thick as they are heavy, the heaviest final cluster on top, and their heights are
    masses; `w` [n] are the tokens' masses (equal ones by default, as many as the mass of the first merges
    tells), `labels` [n] their colours (by default the rank of their final cluster). Final clusters
    have their number of tokens at the right. `end`: the last time of the run.

    Raises ValueError for merges that are no tree, and where masses do not fit them.
    """
    masses = None if w is None else to_host(w, ("n",), "w", "pass one mass a token")
    events = events_of(merges, None if masses is None else len(masses))
    shares = masses_of(masses, _number(events, merges) if masses is None else len(masses))
    _check_masses(events, merges, shares)
    times = events.time[events.time > 0]
    first = float(times[0]) if times.size else 1.0
    last = float(np.max(events.time, initial=first))
    stop = 1.5 * last if end is None else float(check_positive(end, "end"))
    if stop < last:
        raise ValueError(
            f"expected end at or after the last merge, at {last:.3g}, got {stop:.3g}; leave out end."
        )
    made = tree(events, shares, first / 2, stop)
    shades = _shades(made, labels, len(shares))
    drawn = _draw(ax, made, shades)
    _count(ax, made, len(shares), shades)
    ax.set(xscale="log", xlim=(first / 2, stop), ylim=(1, 0), xlabel="time", yticks=[])
    ax.spines["left"].set_visible(False)
    return drawn


def _number(events: Events, merges: Any) -> int:
    """How many tokens of equal mass there are: the lightest merge is of two."""
    if len(events.time) == 0 or not hasattr(merges, "mass"):
        raise ValueError(
            "expected a merge to tell how many tokens there are, got none; pass their masses w=."
        )
    return round(2 / float(np.min(merges.mass)))


def _check_masses(events: Events, merges: Any, shares: np.ndarray) -> None:
    tokens = np.concatenate(events[1:])
    fit = tokens.size == 0 or tokens.max() < len(shares)
    if fit and hasattr(merges, "mass"):
        heavy, mass = shares.copy(), np.empty(len(events.time))
        for k, (_, kept, absorbed) in enumerate(zip(*events, strict=True)):
            mass[k] = heavy[kept] = heavy[kept] + heavy[absorbed]
        # Sums of as many single-precision numbers as there are tokens.
        given = (
            to_host(merges.mass, mass.shape, "merges.mass", "pass run.merges")
            if mass.size
            else mass
        )
        fit = np.allclose(given, mass, rtol=1e-3)
    if not fit:
        raise ValueError(
            "expected masses w that fit the merges, got others; pass the weights of the run as w=."
        )


def _shades(made: Tree, labels: ArrayLike | None, n: int) -> list[Any]:
    """Colours of the final clusters, by name."""
    if labels is not None:
        return [colour(k) for k in point_labels(labels, n).tolist()]
    roots = np.unique(made.name[:n])
    mass = np.bincount(made.name[:n], made.high[:n] - made.low[:n], n)
    ranks = np.zeros(n, int)
    ranks[roots[np.argsort(-mass[roots], kind="stable")]] = np.arange(len(roots))
    return [colour(min(k, 6)) for k in ranks.tolist()]


def _draw(ax: Axes, made: Tree, shades: list[Any]) -> Branches:
    middle, half = (made.low + made.high) / 2, THICK / 2 * (made.high - made.low)
    x = np.stack([made.start, made.end, made.end, made.start], axis=-1)
    y = np.stack([middle - half, middle - half, middle + half, middle + half], axis=-1)
    bars = PolyCollection([*np.stack([x, y], axis=-1)], linewidths=0)
    bars.set_snap(False)  # bars thinner than a pixel would be there or not by chance
    bars.set_facecolor([shades[k] for k in made.name])
    n = len(made.start) - len(made.children)
    ends = middle[made.children].reshape(-1, 2)
    at = np.repeat(made.start[n:, None], 2, axis=1)
    joins = LineCollection([*np.stack([at, ends], axis=-1)], linewidths=0.6)
    joins.set_color([shades[k] for k in made.name[n:]] or "none")
    ax.add_collection(bars)
    ax.add_collection(joins)
    return Branches(bars, joins)


def _count(ax: Axes, made: Tree, n: int, shades: list[Any]) -> None:
    """Numbers of tokens at the right, of the clusters that are thick enough for it."""
    counts = np.bincount(made.name[:n], minlength=n)
    for name in np.flatnonzero(counts):
        own = made.name[:n] == name
        low, high = made.low[:n][own].min(), made.high[:n][own].max()
        if high - low > 0.04:
            ax.annotate(
                str(counts[name]), (1, (low + high) / 2), (3, 0), va="center", color=shades[name],
                xycoords=("axes fraction", "data"), textcoords="offset points",
                size=mpl.rcParams["ytick.labelsize"],
            )  # fmt: skip
