"""Attention over windows of positions, and the harmonic-map heat flow that it becomes, with its orders."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import WindowLimit

STUDIES = {"windows": WindowLimit()}
NAMES = {"both": "to both sides", "back": "backward"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: angles over places, coarse and fine; right: errors over the width of the window."""
    result = results["windows"]
    fig, axes = plt.subplots(1, 3, figsize=(6.75, 2.5))
    for ax, kind in zip(axes, NAMES, strict=False):
        _angles(ax, result.sel(window=kind), NAMES[kind])
    _errors(axes[2], result)
    return fig


def _angles(ax: Axes, result: xr.Dataset, name: str) -> None:
    widest = result.isel(run=int(np.argmax(result.width.values)))
    n = int(widest.n)
    place = 2 * np.pi * (np.arange(n) + 0.5) / n
    every = max(1, n // 32)
    ax.plot(place, 0.4 * np.sin(place), "-", color="0.6", lw=0.8, label="start")
    ax.plot(place, widest.exact[:n], "-", color="C1", label="heat flow")
    ax.plot(place[::every], widest.tokens[:n:every], "o", color="C0", markersize=3, label="tokens")
    ax.set(xlabel="place on the ring", ylabel="angle less its place", ylim=(-0.45, 0.75))
    ax.set_xticks([0, np.pi, 2 * np.pi], ["0", r"$\pi$", r"$2\pi$"])
    ax.set_title(f"{name}: {int(widest.radius)} of {n}")
    ax.legend(fontsize=6, ncols=3, columnspacing=0.8, handlelength=1.2, loc="upper center")


def _errors(ax: Axes, result: xr.Dataset) -> None:
    for k, (kind, order) in enumerate({"both": 2, "back": 1}.items()):
        at = result.sel(window=kind).sortby("width")
        ax.loglog(at.width, at.error, "os"[k], color=f"C{k}", label=NAMES[kind])
        line = float(at.error[0]) * (at.width / float(at.width[0])) ** order
        ax.loglog(at.width, line, ":", color=f"C{k}", label=f"order {order}")
    ax.set(xlabel="width of the window / ring", ylabel="largest error of an angle [rad]")
    ax.set_title("error at $D t = .5$")
    ax.xaxis.set_minor_formatter("")
    ax.legend(fontsize=6)
