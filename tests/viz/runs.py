"""Runs made by hand: tokens that gather along great circles, as fast as a settled cloud does."""

from types import SimpleNamespace

import numpy as np


def gathering(n=60, times=20, d=3, clusters=3, seed=0):
    """Times [T] and tokens [T, n, d] that end, all but coinciding, at so many points."""
    rng = np.random.default_rng(seed)
    ts = np.concatenate([[0.0], np.geomspace(0.1, 100, times - 1)])
    ends = np.linalg.qr(rng.normal(size=(d, d)))[0]
    ends = np.concatenate([ends, -ends])[rng.permutation(np.arange(n) % clusters)]
    noise = rng.normal(size=(n, d))
    x = ends + np.exp(-ts)[:, None, None] * noise
    return ts, x / np.linalg.norm(x, axis=-1, keepdims=True)


def merges_of(x, ts):
    """The merges of the last state: each token joins the first one of its cluster, half-way through."""
    first = np.argmax(np.linalg.norm(x[-1][:, None] - x[-1], axis=-1) < 1e-3, axis=1)
    absorbed = np.flatnonzero(first < np.arange(len(first)))
    kept = first[absorbed]
    heavy, mass = np.full(len(first), 1 / len(first)), []
    for a, b in zip(kept, absorbed, strict=True):
        heavy[a] += heavy[b]
        mass.append(heavy[a])
    time = np.linspace(ts[len(ts) // 2], ts[-1] / 2, len(kept))
    return SimpleNamespace(time=time, kept=kept, absorbed=absorbed, mass=np.array(mass))
