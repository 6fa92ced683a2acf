"""Distances between laws of sequences: of Gaussian ones, of a step that announces the next, of samples."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import AdaptedDistances

STUDIES = {"adapted": AdaptedDistances()}
COLORS = {"W2": "C0", "AW2": "C3", "Knothe-Rosenblatt": "C2"}
NAMES = {"W2": "$W_2^2$", "AW2": "$AW_2^2$", "Knothe-Rosenblatt": "Knothe-Rosenblatt"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """A panel each; lines without markers are exact."""
    data = results["adapted"]
    fig, axes = plt.subplots(1, 3, figsize=(6.75, 2.5))
    for ax, panel in zip(axes, (_gaussian, _told, _samples), strict=True):
        panel(ax, data)
    return fig


def _gaussian(ax: Axes, data: xr.Dataset) -> None:
    a = np.linspace(0, 1.05 * float(data.slope.max()), 200)
    exact = {
        "W2": 4 + 2 * a**2 - 2 * np.sqrt(a**4 + 4),
        "AW2": np.minimum(4 * a**2, 4),
        "Knothe-Rosenblatt": 4 * a**2,
    }
    for kind, color in COLORS.items():
        at = data.gaussian.sel(kind=kind)
        ax.plot(at.slope, at, "o", color=color, ms=4, label=NAMES[kind])
        ax.plot(a, exact[kind], "-", color=color, lw=0.9)
    ax.set(xlabel="$a$", ylabel="squared distance", xlim=(0, a[-1]), ylim=(0, 27))
    ax.set_title(r"$x_2 = \pm a\,x_1 + z$")
    ax.legend(loc="upper left")


def _told(ax: Axes, data: xr.Dataset) -> None:
    eps = np.geomspace(0.7 * float(data.eps.min()), 1.4 * float(data.eps.max()), 100)
    for kind, exact in (("W2", eps**2), ("AW2", eps**2 + 2)):
        at = data.told.sel(way=kind)
        ax.loglog(at.eps, at, "o", color=COLORS[kind], ms=4, label=NAMES[kind])
        ax.loglog(eps, exact, "-", color=COLORS[kind], lw=0.9)
    ax.set(xlabel=r"first step $\pm\varepsilon$", ylabel="squared distance")
    ax.set_title("a step that tells the next")
    ax.legend(loc="lower right")


def _samples(ax: Axes, data: xr.Dataset) -> None:
    for measure, color in (("plain", "C1"), ("adapted", "C3")):
        at = data.sel(measure=measure)
        ax.errorbar(
            at.n, at.distance, 1.96 * at.distance_error,
            fmt="o", color=color, ms=4, capsize=2, label=f"{measure} sample",
        )  # fmt: skip
    at = data.sel(measure="adapted")
    reach = 1.96 * float(at.order_error)
    label = rf"fit: $n^{{{float(at.order):.2f} \pm {reach:.2f}}}$"
    ax.plot(at.n, at.constant * at.n**at.order, "-", color="C3", lw=0.9, label=label)
    ax.axhline(2 / np.sqrt(np.pi), color="k", ls=":", lw=1.1, label=r"$2/\sqrt{\pi}$")
    ax.set(xscale="log", yscale="log", xlabel="paths $n$", ylabel="$AW_1$ to the law")
    ax.set(ylim=(0.09, 2.0))
    ax.set_title("samples of a walk")
    ax.legend(loc="lower left")
