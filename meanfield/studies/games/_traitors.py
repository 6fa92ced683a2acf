"""Clouds on the line by their means: batches, rounded messages, models that rest, or lie."""

import numpy as np
import xarray as xr


def noisy(n: int, share: float, batches, steps: int, rng: np.random.Generator) -> xr.Dataset:
    """The variance of deviations if each model hears of the mean of b tokens of each, of variance 1."""
    left = []
    for b in batches:
        x, total, burn = np.zeros(n), 0.0, int(10 / share)
        # Each model hears of all n, of each by its own b tokens.
        heard = rng.standard_normal((steps + burn, n, n, b)).mean(axis=(2, 3))
        for k, off in enumerate(heard):
            x = x + share * (x.mean() + off - x)
            total += np.mean((x - x.mean()) ** 2) if k >= burn else 0.0
        left.append(total / steps)
    exact = [share / (2 - share) * (1 - 1 / n) / (n * b) for b in batches]
    return xr.Dataset(
        {"variance": ("batch", left), "variance_exact": ("batch", exact)},
        {"batch": list(batches)},
    )


def rounded(n: int, share: float, widths, rng: np.random.Generator) -> xr.Dataset:
    """What is left if ways, or places, are rounded to multiples of s; places are those of tokens."""
    start = rng.standard_normal(n)
    near = lambda a, s: s * np.round(a / s)
    left, moved = [], []
    for s in widths:
        runs = [start.copy(), start.copy()]
        for _ in range(int(60 / share)):
            way = near(runs[0].mean() - runs[0], s)
            runs = [runs[0] + share * way, runs[1] + share * (near(runs[1].mean(), s) - runs[1])]
        left.append([np.abs(x - x.mean()).max() for x in runs])
        moved.append([np.abs(x.mean() - start.mean()) for x in runs])
    return xr.Dataset(
        {"apart": (("width", "sent"), left), "moved": (("width", "sent"), moved)},
        {"width": list(widths), "sent": ["way", "place"]},
    )


def betrayed(n: int, gain: float, layer: float) -> xr.Dataset:
    """What others and itself pay if model 0, at 1, does not move; all else starts at 0."""
    paid = {}
    for plays in (True, False):
        x, costs, path = np.zeros(n), np.zeros(n), []
        x[0] = 1.0
        for _ in range(int(60 * n / (gain * layer))):
            away = x - x.mean()
            u = -gain * away
            u[0] *= plays
            drift = u - u.mean()
            square = away**2 + layer * away * drift + (layer * drift) ** 2 / 3
            costs += layer * (u**2 + square) / 2
            x = x + layer * u
            path.append(x)
        paid[plays] = costs, np.array(path)
    ratio, path = paid[False][0] / paid[True][0], paid[False][1]
    rate = 1 - (path[10, 0] - path[10, 1]) / (path[9, 0] - path[9, 1])
    return xr.Dataset({"rate": ((), rate), "paid": ((), ratio[1]), "kept": ((), ratio[0])})


def lied_to(n: int, gain: float, layer: float, lie: float) -> xr.Dataset:
    """Speeds, costs and broken laws if model 0 reports to be `lie` from where it is.

    It steers by the barycenter of the true places; or acts the lie out, and steers by what it reports.
    """
    off = lie * np.eye(n)[0]
    found = {}
    for acted in (False, True):
        x = np.zeros(n)
        for _ in range(int(40 / (gain * layer))):
            before, said = x, x + off
            u = gain * (said.mean() - x)
            u[0] = gain * (said.mean() - said[0]) if acted else gain * (x.mean() - x[0])
            x = x + layer * u
        broken = (x - before) / layer + gain * (said - said.mean())
        found[acted] = x, u, before - before.mean(), np.abs(broken)
    (_, u, away, broken), (x, _, _, hidden) = found[False], found[True]
    return xr.Dataset(
        {
            "speed": ((), u.mean()),
            "burden": ((), (u[1] ** 2 + away[1] ** 2) / 2),
            "seen": ((), broken[0]),
            "honest": ((), broken[1:].max()),
            "acted_seen": ((), hidden.max()),
            "acted_moved": ((), x[1]),
        }
    )
