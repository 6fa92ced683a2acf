"""Oscillators who plan ahead for a while: on their way, by a planner, and as they learn to."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import MeanFieldPaths

STUDIES = {"paths": MeanFieldPaths()}
NAMES = {"nash": "Nash", "planner": "planner"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: the order over time, and without end (dots); middle: what is paid; right: distance by round."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.4))
    result = results["paths"]
    _orders(left, result)
    _costs(middle, result)
    _rounds(right, result)
    return fig


def _orders(ax: Axes, result: xr.Dataset) -> None:
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, result.kappa.size))
    for shade, kappa in zip(shades, result.kappa.values, strict=True):
        for who, style in {"nash": "-", "planner": "--"}.items():
            one = result.sel(kappa=kappa, who=who)
            ax.plot(one.time, one.order, style, color=shade)
            ax.plot(one.time[-1] * 1.05, one.still, ".", color=shade, clip_on=False)
        ax.plot([], [], "-", color=shade, label=rf"$\kappa = {kappa:g}$")
    ax.set(xlabel="time (dots: without end)", ylabel="length of the mean", ylim=(0, 1))
    ax.set_title("Nash, and a planner (dashed)")
    ax.legend(fontsize=6, ncol=2)


def _costs(ax: Axes, result: xr.Dataset) -> None:
    for number, (who, name) in enumerate(NAMES.items()):
        one = result.sel(who=who)
        ax.plot(one.kappa, one.cost, "o-", color=f"C{number}", markersize=3, label=name)
        ax.plot(one.kappa, one.learned, "x", color=f"C{number}", markersize=4)
    ax.plot(result.kappa, result.direct, "k^", markersize=3, label="planner, no guess")
    ax.plot([], [], "kx", markersize=4, label="learned")
    ax.set(xlabel=r"coupling $\kappa$", ylabel="cost of a player")
    ax.legend(fontsize=6)


def _rounds(ax: Axes, result: xr.Dataset) -> None:
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, result.kappa.size))
    for shade, kappa in zip(shades, result.kappa.values, strict=True):
        for who, style in {"nash": "-", "planner": "--"}.items():
            ax.loglog(result["round"], result.apart.sel(kappa=kappa, who=who), style, color=shade)
    n = result["round"].values[[0, -1]]
    ax.loglog(n, 0.02 / n, "k:", linewidth=0.8)
    ax.annotate("1/n", (n[-1], 0.02 / n[-1]), (-2, 12), textcoords="offset points", ha="right")
    ax.set(xlabel="round $n$", ylabel="mean of laws to its answer", title="fictitious play")
