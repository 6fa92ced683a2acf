"""The barrier between uniform tokens and a cluster, and how long n tokens take to cross it."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from meanfield.studies import Barriers, EscapeTimes

STUDIES = {"barriers": Barriers(), "times": EscapeTimes()}
MARKERS = {"leimkuhler_matthews": ("o", "Leimkuhler-Matthews"), "euler": ("x", "geodesic Euler")}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: least free energy over the order; middle: heights; right: times, with intervals."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.6))
    _profiles(left, results["barriers"].isel(d=0))
    _heights(middle, results["barriers"])
    _times(right, results["times"])
    return fig


def _profiles(ax: Axes, at: xr.Dataset) -> None:
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, at.share.size))
    for shade, share in zip(shades, at.share.values, strict=True):
        one = at.sel(share=share)
        label = f"{share:g}" if share in (at.share.values[0], at.share.values[-1]) else None
        ax.plot(one.r, one.free_energy, "-", color=shade, label=label)
        ax.plot(one.saddle, one.height, "o", color=shade, markersize=3)
    highest = float(at.height.max())
    ax.set(xlabel="mean resultant $r$", ylabel=r"$(F^*(r) - F^*(0))/\nu$")
    ax.set(title=f"d = {int(at.d)}", ylim=(-1.5 * highest, 2.5 * highest))
    ax.legend(title="place between\nthe spinodals")


def _heights(ax: Axes, result: xr.Dataset) -> None:
    for k, d in enumerate(result.d.values):
        at = result.sel(d=d)
        ax.plot(at.share, at.height, "o-", color=f"C{k}", markersize=3, label=f"d = {d}")
        ax.plot(at.share, at.back, "--", color=f"C{k}")
    ax.set(xlabel="place between the spinodals", ylabel=r"height $/\nu$", yscale="log")
    ax.set(ylim=(float(result.height.min()) / 100, None))
    ax.legend(title="full: from uniform\ndashed: back", loc="lower right")


def _times(ax: Axes, result: xr.Dataset) -> None:
    first = result.isel(solver=0)
    ax.plot(first.n, first.predicted, "-", marker="_", markersize=9, color="0.4", label="theory")
    for k, name in enumerate(result.solver.values):
        at = result.sel(solver=name)
        marker, label = MARKERS[str(name)]
        bars = np.stack([at["mean"] - at.low, at.high - at["mean"]])
        style = {"color": f"C{k}", "linestyle": "none", "markersize": 4, "capsize": 2}
        ax.errorbar(at.n, at["mean"], bars, marker=marker, label=label, **style)
    ax.set(xlabel="tokens $n$", ylabel="mean escape time", yscale="log")
    ax.set(xticks=result.n.values, ylim=(None, 2 * float(result.high.max())))  # room for the legend
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("{x:g}" if result.n.size == 1 else NullFormatter())
    ax.legend()
