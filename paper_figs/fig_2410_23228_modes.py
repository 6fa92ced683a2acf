"""Three and four clusters leave the uniform law at predicted places (arXiv 2410.23228)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import PublishedClusters
from meanfield.viz import density_circle

STUDIES = {"clusters": PublishedClusters()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Modes over time against linear growth, and the cloud with the predicted centres."""
    result = results["clusters"]
    fig, axes = plt.subplots(
        result.beta.size, 2, figsize=(5.2, 2.4 * result.beta.size), width_ratios=(1.5, 1),
        squeeze=False,
    )  # fmt: skip
    for (left, right), beta in zip(axes, result.beta.values, strict=True):
        one = result.sel(beta=beta)
        _growth(left, one)
        _ring(right, one)
        left.set_title(rf"$\beta={beta:g}$, {int(one.tokens):,} tokens")
    return fig


def _growth(ax: Axes, one: xr.Dataset) -> None:
    size = np.hypot(one.rho.isel(part=0), one.rho.isel(part=1))
    fastest, shown = int(one.fastest), int(one.picture)
    for k in range(max(1, fastest - 2), fastest + 3):
        mode = size.sel(degree=k)
        strong = k == fastest
        shade = "black" if strong else f"C{k % 6}"
        width = 1.6 if strong else 0.9
        ax.semilogy(one.time, mode, "-", color=shade, lw=width, label=f"k = {k}")
        line = mode[0] * np.exp(one.rate.sel(degree=k) * one.time)
        ax.semilogy(one.time, line.where(line < 0.5), ":", color=shade, lw=width)
    ax.plot([], [], ":", color="0.3", label="linear theory")
    ax.axvline(one.time[shown], color="0.65", lw=0.6, ls="-", zorder=0)
    ax.set(xlabel="time", ylabel=r"$|\rho_k|$", ylim=(5e-4, 1.3), xlim=(0, one.time[-1]))
    ax.legend(loc="lower right")


def _ring(ax: Axes, one: xr.Dataset) -> None:
    seen = one.isel(save=int(one.picture))
    density_circle(ax, one.angle.values, seen.density.values)
    k = int(one.fastest)
    start = one.rho.isel(save=0).sel(degree=k)
    phase = float(np.arctan2(start.isel(part=1), start.isel(part=0)))
    for angle in (2 * np.pi * np.arange(k) - phase) / k:
        rim = np.array([np.cos(angle), np.sin(angle)])
        ax.plot(*np.outer(rim, [0, 0.93]), color="C1", lw=0.9, ls="--", zorder=3)
    ax.set_title(f"t = {float(seen.time):g}\ndashed: predicted centres")
