"""Hard attention in the plane: tokens move to leaders, and turn on the way (arXiv 2407.01602)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import HardAttention

STUDIES = {"hard": HardAttention()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: paths over the cells of the leaders; right: errors of layers, and when tokens turn."""
    result = results["hard"]
    fig = plt.figure(figsize=(6.75, 3.2))
    left, right = fig.subfigures(1, 2, width_ratios=(1.25, 1.0))
    _paths(left.subplots(), result.isel(draw=int(np.argmax(result.turns.values))))
    above, below = right.subplots(2, 1)
    _layers(above, result)
    _turns(below, result)
    return fig


def _paths(ax: Axes, at: xr.Dataset) -> None:
    side, leader = float(at.extent) * at.side.values, at.leader.values
    cells = np.ma.masked_invalid(at.cell.values.T)
    ax.pcolormesh(side, side, cells % 10, cmap="Pastel1", vmin=-0.5, vmax=8.5, rasterized=True)
    for token in at.token.values if "token" in at.coords else range(at.token.size):
        ax.plot(*at.x.isel(token=token).values.T, "-", color="0.35", lw=0.7)
    start, end = at.x.isel(time=0).values, at.x.isel(time=-1).values
    ax.plot(*start.T, ".", color="0.35", markersize=4, label="start")
    ax.plot(*end[leader].T, "*", color="black", markersize=10, label="leaders")
    ax.plot(0, 0, "+", color="black", markersize=6)
    ax.set(aspect="equal", xlabel="first coordinate", ylabel="second coordinate")
    ax.set_title("tokens move to leaders; color: whom a point sees")
    ax.legend(loc="upper left")


def _layers(ax: Axes, result: xr.Dataset) -> None:
    for draw in result.draw.values:
        ax.loglog(result.alpha, result.layers.sel(draw=draw), "o-", color=f"C{draw}", markersize=3)
    mean = result.layers.mean("draw")
    ax.loglog(result.alpha, mean[-1] * result.alpha / result.alpha[-1], "k:", label="order 1")
    ax.set(xlabel="step of a layer", ylabel="largest error")
    ax.set_xticks(result.alpha.values, [f"{a:g}" for a in result.alpha.values], minor=False)
    ax.xaxis.set_minor_formatter("")
    ax.legend()


def _turns(ax: Axes, result: xr.Dataset) -> None:
    for draw in result.draw.values:
        times = np.sort(result.turn_time.sel(draw=draw).dropna("turn").values)
        edges = np.concatenate([[0.0], times, [float(result.turn_time.max()) * 1.1]])
        counts = np.concatenate([[0.0], np.arange(1, times.size + 1), [times.size]])
        ax.step(edges, counts, where="post", color=f"C{draw}")
    ax.set(xlabel="time", ylabel="turns so far", xlim=(0, None), ylim=(0, None))
