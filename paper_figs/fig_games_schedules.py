"""When to be where: the schedule of a map with the least steep velocities, and Schroedinger bridges."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import Schedules

STUDIES = {"schedules": Schedules()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: schedules; middle: Lipschitz constants, best and in straight time; right: bridges."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.4))
    result = results["schedules"].isel(high=-1)
    _schedules(left, result)
    _constants(middle, result)
    _bridges(right, result)
    return fig


def _shades(count: int) -> np.ndarray:
    return plt.get_cmap("viridis")(np.linspace(0, 0.85, count))


def _schedules(ax: Axes, result: xr.Dataset) -> None:
    for shade, low in zip(_shades(result.low.size), result.low.values, strict=True):
        ax.plot(result.s, result.tau.sel(low=low), "-", color=shade, label=f"{low:g}")
    ax.plot([0, 1], [0, 1], "--", color="0.6", linewidth=0.8)
    ax.set(xlabel="time $s$", ylabel=r"place on the way $\tau$", xlim=(0, 1), ylim=(0, 1))
    ax.set_title(f"largest stretch {float(result.high):g}")
    style = {"fontsize": 6, "title_fontsize": 6, "handlelength": 1, "borderaxespad": 0.3}
    ax.legend(title="least stretch", loc="upper left", **style)


def _constants(ax: Axes, result: xr.Dataset) -> None:
    ax.plot(result.low, result.straight, "C1s--", markersize=3.5, label="straight time")
    ax.plot(result.low, result.lipschitz, "C0o-", markersize=3.5, label="best schedule")
    ax.set(xscale="log", yscale="log", xlabel="least stretch", ylabel="Lipschitz constant")
    ax.set_title("how steep the velocities are")
    ax.set(xticks=result.low.values, yticks=[2, 5, 10, 20, 50])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    ax.legend()


def _bridges(ax: Axes, result: xr.Dataset) -> None:
    for shade, spread in zip(_shades(result.spread.size), result.spread.values, strict=True):
        ax.plot(result.s, result.variance.sel(spread=spread), "-", color=shade, label=f"{spread:g}")
    most = 1.5 * float(result.variance.max())  # room for the legend
    ax.set(xlabel="time", ylabel="variance", xlim=(0, 1), ylim=(0, most))
    ax.set_title("Schroedinger bridges")
    ax.legend(title="noise $s$", title_fontsize=7, ncols=2)
