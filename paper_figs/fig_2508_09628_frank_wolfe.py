"""Hard attention as the method of Frank and Wolfe: straight lines in cells; how long softmax is like it."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import FrankWolfe

STUDIES = {"hard": FrankWolfe()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: cells and paths; middle: what is left of the way; right: the lifetime of a polygon."""
    result = results["hard"]
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.6), width_ratios=(1.1, 1, 1))
    _cells(left, result)
    _ways(middle, result)
    right.semilogy(result.beta, result.expected, "-", color="C1", label="quadrature")
    right.semilogy(result.beta, result.lifetime, "o", color="C0", label="tokens, softmax")
    right.set(xlabel=r"$\beta$", ylabel="time from radius .95 to .6")
    right.set_xticks(result.beta.values, [f"{b:g}" for b in result.beta.values])
    right.set_title("a square of tokens shrinks late")
    right.legend()
    return fig


def _cells(ax: Axes, result: xr.Dataset) -> None:
    side = result.side.values
    inside = side[:, None] ** 2 + side[None, :] ** 2 <= 1
    cells = np.where(inside, result.cell.values, np.nan).T
    ax.pcolormesh(side, side, cells % 9, cmap="Pastel1", vmin=-0.5, vmax=8.5, rasterized=True)
    corners = np.concatenate([result.vertex.values, result.vertex.values[:1]])
    ax.plot(*corners.T, "-", color="0.3", lw=0.8)
    for token in range(result.token.size):
        ax.plot(*result.x.isel(token=token).values.T, "-", color="0.35", lw=0.5)
    ax.plot(*result.x.isel(time=0).values.T, ".", color="0.2", markersize=3, label="start")
    ax.plot(*result.vertex.values.T, "*", color="black", markersize=8, label="vertices")
    ax.set(aspect="equal", xlabel="first coordinate", ylabel="second coordinate")
    ax.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.45), xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    ax.set_title("straight lines in cells")
    ax.legend(loc="upper center", ncols=2, fontsize=6)


def _ways(ax: Axes, result: xr.Dataset) -> None:
    goal = result.vertex.values[result.goal.values]
    left = np.linalg.norm(result.x.values - goal, axis=-1)
    ax.semilogy(result.time, left, "-", color="0.6", lw=0.5)
    ax.semilogy(
        result.time, left[0].max() * np.exp(-result.time), "--", color="C1", label=r"$e^{-t}$"
    )
    ax.set(xlabel="time", ylabel="distance to the vertex")
    ax.set_title("each token goes at one rate")
    ax.legend()
