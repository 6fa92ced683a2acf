"""Tokens that a picture cannot tell apart: who they are, where they stand, how heavy they are."""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

LONGEST = 2.0
"""How far from its middle a bundle may reach, over the distance of neighbours."""


class Bundles(NamedTuple):
    """Bundles of tokens on the sphere: of `which` [n] each token is, and for each bundle its centre
    [k, d], mass, number of tokens and least token [k]."""

    which: NDArray[np.integer]
    centres: NDArray[np.float64]
    masses: NDArray[np.float64]
    counts: NDArray[np.integer]
    first: NDArray[np.integer]


def bundled(x: np.ndarray, w: np.ndarray, near: float) -> Bundles:
    """The bundles of unit vectors x [n, d] with weights w [n]."""
    first, which = np.unique(together(x, near), return_inverse=True)
    counts, masses = np.bincount(which), np.bincount(which, w).astype(float)
    # A bundle without mass stands at the plain mean.
    shares = np.where(masses[which] > 0, w, 1.0)
    sums = np.stack([np.bincount(which, shares * axis) for axis in x.T], axis=-1)
    norms = np.linalg.norm(sums, axis=-1, keepdims=True)
    return Bundles(which, sums / np.where(norms > 0, norms, 1), masses, counts, first)


def together(x: np.ndarray, near: float) -> NDArray[np.integer]:
    """For each token the least one of its bundle: tokens linked by angles of at most `near`, where what
    is longer than a few of these is taken apart by halves, since a chain is no point."""
    chord = 2 * np.sin(min(near, np.pi) / 2)
    names, who, reach = np.arange(len(x)), np.arange(len(x)), chord
    while who.size:
        part = _linked(x[who], reach)
        counts = np.bincount(part)
        middles = np.stack([np.bincount(part, axis) / counts for axis in x[who].T], axis=-1)
        far, least = np.zeros(len(counts)), np.full(len(counts), len(x))
        np.maximum.at(far, part, np.linalg.norm(x[who] - middles[part], axis=-1))
        np.minimum.at(least, part, who)
        fits = (far <= LONGEST * chord)[part]
        names[who[fits]] = least[part[fits]]
        who, reach = who[~fits], reach / 2
    return names


def _linked(x: np.ndarray, reach: float) -> NDArray[np.integer]:
    """Components of the graph of points at distance <= reach.

    Points in one cell, whose diagonal is `reach`, are linked; so only cells need to be compared.
    """
    n, d = x.shape
    keys = np.floor(x / (reach / np.sqrt(d) * (1 - 1e-12)))
    _, heads, cell = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    cell = cell.ravel()
    if len(heads) == 1:
        return np.zeros(n, int)
    # Points of two cells within `reach` have heads within three times that.
    pairs = scipy.spatial.KDTree(x[heads]).query_pairs(3 * reach, output_type="ndarray")
    close = np.linalg.norm(x[heads[pairs[:, 0]]] - x[heads[pairs[:, 1]]], axis=-1) <= reach
    found = _components(pairs[close], len(heads))
    single = np.bincount(cell) == 1
    open_ = (found[pairs[:, 0]] != found[pairs[:, 1]]) & ~(single[pairs].all(axis=1))
    if open_.any():
        order = np.argsort(cell, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(cell))[:-1])
        more = [(a, b) for a, b in pairs[open_] if _touch(x[members[a]], x[members[b]], reach)]
        found = _components(np.concatenate([pairs[close], np.reshape(more, (-1, 2))]), len(heads))
    return found[cell]


def _components(pairs: np.ndarray, n: int) -> NDArray[np.integer]:
    pairs = pairs.astype(int)
    edges = scipy.sparse.coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (n, n))
    return scipy.sparse.csgraph.connected_components(edges, directed=False)[1]


def _touch(a: np.ndarray, b: np.ndarray, reach: float) -> bool:
    """Whether two sets of points come within `reach`."""
    found, _ = scipy.spatial.KDTree(a).query(b, distance_upper_bound=np.nextafter(reach, np.inf))
    return bool(np.isfinite(found).any())
