"""The tree of merged tokens as bars over time, laid out so that no two cross."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._inputs import to_host


class Events(NamedTuple):
    """Merges in order: at time[k] token absorbed[k] joins token kept[k]."""

    time: NDArray[np.float64]
    kept: NDArray[np.integer]
    absorbed: NDArray[np.integer]


class Tree(NamedTuple):
    """A bar a token and a merge: from `start` to `end`, between the masses `low` and `high`, of the final
    cluster `name` (its least token); `joins` are the bars that a merge made: those after the tokens."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    name: NDArray[np.integer]
    children: NDArray[np.integer]


def events_of(merges: Any, n: int | None = None) -> Events:
    """`merges` as `Trajectory.merges` holds them, or a ValueError where they are no tree of n tokens."""
    if not all(hasattr(merges, name) for name in Events._fields):
        raise ValueError(
            "expected merges with time, kept and absorbed, got "
            f"{type(merges).__name__}; pass run.merges of simulate(..., merge=distance)."
        )
    size = np.size(merges.time)
    if size == 0:
        none = np.zeros(0, int)
        return Events(np.zeros(0), none, none)
    time, kept, absorbed = (
        to_host(getattr(merges, name), (size,), f"merges.{name}", "pass run.merges")
        for name in Events._fields
    )
    found = Events(time, kept.astype(int), absorbed.astype(int))
    tokens = np.concatenate(found[1:])
    once = len(np.unique(found.absorbed)) == size and _alive(found)
    if (np.diff(time) < 0).any() or not once or tokens.min() < 0 or (n and tokens.max() >= n):
        raise ValueError(
            "expected merges in the order of time, of tokens that are there, got others; pass "
            "run.merges of the same run."
        )
    return found


def _alive(found: Events) -> bool:
    """Whether no token keeps or is absorbed once it has been absorbed."""
    gone = np.full(max(found.kept.max(), found.absorbed.max()) + 1, len(found.time))
    order = np.arange(len(found.time))
    gone[found.absorbed] = order
    return bool((gone[found.kept] > order).all())


def among(events: Events, chosen: np.ndarray, n: int) -> Events:
    """The merges of some of the n tokens, numbered as they are chosen."""
    stands = np.full(n, -1)
    stands[chosen] = np.arange(len(chosen))
    rows = []
    for time, kept, absorbed in zip(*events, strict=True):
        if stands[absorbed] >= 0 <= stands[kept]:
            rows.append((time, stands[kept], stands[absorbed]))
        elif stands[absorbed] >= 0:
            stands[kept] = stands[absorbed]
    columns = np.reshape(rows, (-1, 3)).T
    return Events(columns[0], columns[1].astype(int), columns[2].astype(int))


def tree(events: Events, w: np.ndarray, start: float, end: float) -> Tree:
    """The bars of n tokens of mass w [n] from `start` to `end`: heaviest final cluster first, each cluster
    between neighbours, so that what merges lies side by side."""
    n, size = len(w), len(events.time)
    children = np.full((n + size, 2), -1)
    births = np.concatenate([np.full(n, start), events.time])
    deaths, mass = np.full(n + size, end), np.concatenate([w, np.zeros(size)])
    names, now = np.arange(n + size), np.arange(n)
    for k, (time, kept, absorbed) in enumerate(zip(*events, strict=True), start=n):
        pair = children[k] = now[kept], now[absorbed]
        deaths[[*pair]] = time
        mass[k] = mass[pair[0]] + mass[pair[1]]
        names[k] = min(names[pair[0]], names[pair[1]])
        now[kept] = k
    joined = np.zeros(n + size, bool)
    joined[children[n:].ravel()] = True
    roots = np.flatnonzero(~joined)
    roots = roots[np.argsort(-mass[roots], kind="stable")]
    low = np.zeros(n + size)
    low[roots] = np.cumsum(mass[roots]) - mass[roots]
    # Parents come after their children: from the last one down, each child gets its place and name.
    for k in range(n + size - 1, n - 1, -1):
        one, other = children[k]
        low[one], low[other] = low[k], low[k] + mass[one]
        names[one] = names[other] = names[k]
    return Tree(births, deaths, low, low + mass, names, children[n:])
