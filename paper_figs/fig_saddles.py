"""Two tokens between two wells, one by one or together; and which stationary clouds lead to which."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from meanfield.studies import CloudPaths, SaddleGraph

STUDIES = {"paths": CloudPaths(), "graph": SaddleGraph(n=(5,))}
COLORS = {"first": "white", "second": "white", "together": "#D55E00"}
RADIUS = 0.3
"""Of the circle that stands for a state, in units of one index."""


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: landscapes with paths over them; right: the graph of saddles."""
    paths, graph = results["paths"], results["graph"].isel(n=-1)
    fig = plt.figure(figsize=(6.75, 2.9))
    left, right = fig.subfigures(1, 2, width_ratios=(1.0, 1.0) if paths.pull.size > 1 else (1, 2))
    for ax, pull in zip(
        np.atleast_1d(left.subplots(1, paths.pull.size, sharey=True)),
        paths.pull.values,
        strict=True,
    ):
        _landscape(ax, paths.sel(pull=pull), first=pull == paths.pull.values[0])
    _graph(right.subplots(), graph)
    return fig


def _landscape(ax: Axes, at: xr.Dataset, first: bool) -> None:
    levels = np.linspace(float(at.energy.min()), float(at.energy.max()), 25)
    ax.contourf(at.angle, at.other, at.energy.transpose("other", "angle"), levels, cmap="viridis")
    for leg in at.leg.values:
        if not bool(at.found.sel(leg=leg)):
            continue
        path, top = at.path.sel(leg=leg), at.top.sel(leg=leg)
        ax.plot(*path.transpose("token", "image").values, "-", color=COLORS[str(leg)])
        ax.plot(*top.values, "X", color=COLORS[str(leg)], markeredgecolor="black", markersize=5)
    ends = at.path.isel(image=[0, -1]).values.reshape(-1, 2)
    ax.plot(*ends.T, "o", color="black", markersize=3.5)
    ticks = [0, np.pi / 3, 2 * np.pi / 3]
    ax.set(aspect="equal", title=f"pull {float(at.pull):g}", xlabel="angle of one token")
    ax.set(xticks=ticks, xticklabels=["0", r"$\pi/3$", r"$2\pi/3$"])
    ax.set(yticks=ticks, yticklabels=["0", r"$\pi/3$", r"$2\pi/3$"])
    if first:
        ax.set(ylabel="angle of the other")


def _graph(ax: Axes, at: xr.Dataset) -> None:
    at = at.isel(state=np.isfinite(at.energy.values), end=np.isfinite(at.energy.values))
    places = _places(at.index.values.astype(int))
    for i, j in np.argwhere(at.orbits.values > 0):
        share = at.orbits.values[i, j] / at.orbits.values[i].sum()
        arrow = FancyArrowPatch(
            places[i], places[j], arrowstyle="-|>", mutation_scale=6, linewidth=0.4 + 1.6 * share,
            color="0.55", shrinkA=11, shrinkB=11, connectionstyle="arc3,rad=0.12", zorder=1,
        )  # fmt: skip
        ax.add_patch(arrow)
    for state, place in zip(at.state.values, places, strict=True):
        _cloud(ax, at.sel(state=state), place)
    sides = places[:, 0]
    ax.set(xlim=(sides.min() - 0.6, sides.max() + 0.6), ylim=(-0.5, float(at.index.max()) + 0.5))
    ax.set(aspect="equal", ylabel="index", yticks=np.unique(at.index.values), xticks=[])
    ax.spines["bottom"].set_visible(False)
    ax.set(title=f"{at.token.size} tokens: orbits between states")


def _places(index: np.ndarray) -> np.ndarray:
    """States of one index beside each other, [m, 2]."""
    places = np.zeros((index.size, 2))
    for level in np.unique(index):
        here = np.flatnonzero(index == level)
        aside = (-1) ** level if here.size == 1 and 0 < level < index.max() else 0
        places[here, 0] = 2.4 * (np.arange(here.size) - (here.size - 1) / 2) + 0.6 * aside
        places[here, 1] = level
    return places


def _cloud(ax: Axes, at: xr.Dataset, place: np.ndarray) -> None:
    """A circle with the tokens on it, as large as there are in one place."""
    x = at.x.values[np.isfinite(at.x.values).all(axis=1)]
    ax.add_patch(plt.Circle(place, RADIUS, facecolor="white", edgecolor="0.4", linewidth=0.6))
    together = (x @ x.T > 1 - 1e-6).sum(axis=1)
    ax.scatter(*(place + RADIUS * x).T, s=6 * together, color="C0", zorder=3)
