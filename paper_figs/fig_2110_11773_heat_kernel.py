"""Clouds under Sinkhorn attention beside the heat kernel, on the circle and on S^2 (arXiv 2110.11773)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from meanfield import viz
from meanfield.studies import HeatKernelClouds

STUDIES = {"clouds": HeatKernelClouds()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Times in columns: tokens on the circle, tokens on the sphere, the heat kernel there."""
    result = results["clouds"]
    times = result.time.values
    rows = [
        r
        for r, name in ((_circle, "histogram"), (_cloud, "map"), (_kernel, "kernel_map"))
        if name in result
    ]
    heights = [1.25 if r is _circle else 1.0 for r in rows]
    fig, axes = plt.subplots(
        len(rows), len(times), figsize=(2.25 * len(times), 1.35 * sum(heights)), height_ratios=heights,
        squeeze=False,
    )  # fmt: skip
    for column, time in zip(axes.T, times, strict=True):
        for ax, row in zip(column, rows, strict=True):
            row(ax, result.sel(time=time))
        column[0].set_title(f"t = {time:g}")
    if _circle in rows:
        axes[0, 0].set_ylabel("density")
        axes[0, 0].legend(loc="upper left", handlelength=1.2)
    if "map" in result:
        for ax, label in zip(axes[-2:, 0], ("tokens on S²", "heat kernel"), strict=True):
            ax.text(-0.04, 0.5, label, transform=ax.transAxes, rotation=90, ha="right", va="center")
        for row, time in zip(axes[-2:].T, times, strict=True):
            one = result.sel(time=time)
            # Few tokens, smoothed by a series that is cut off, come out below 0 in places.
            below = min(float(one["map"].min()), float(one.kernel_map.min())) < 0
            bar = fig.colorbar(
                ScalarMappable(_norm(one)), ax=list(row), orientation="horizontal", aspect=30, pad=0.02,
                label="density", ticks=MaxNLocator(4, steps=[1, 2, 5, 10]),
                extend="min" if below else "neither",
            )  # fmt: skip
            bar.ax.xaxis.set_major_formatter("{x:g}")
    return fig


def _circle(ax: Axes, one: xr.Dataset) -> None:
    width = 2 * np.pi / one.bin.size
    ax.bar(one.bin, one.histogram, width, color="0.8", label="tokens")
    ax.plot(one.angle, one.kernel, color="C0", ls="-", label="heat kernel")
    top = max(float(one.kernel.max()), float(one.histogram.max()))
    ax.set(xlim=(-np.pi, np.pi), ylim=(0, 1.1 * top), xlabel="angle")
    ax.set_xticks(np.arange(-2, 3) * np.pi / 2, ["−π", "−π/2", "0", "π/2", "π"])


def _norm(one: xr.Dataset) -> PowerNorm:
    """Colours up to the higher of the two peaks at this time, the tails brightened."""
    return PowerNorm(0.6, 0, max(float(one["map"].max()), float(one.kernel_map.max())))


def _cloud(ax: Axes, one: xr.Dataset) -> None:
    _map(ax, one, one["map"].values)


def _kernel(ax: Axes, one: xr.Dataset) -> None:
    _map(ax, one, one.kernel_map.values)


def _map(ax: Axes, one: xr.Dataset, density: np.ndarray) -> None:
    viz.mollweide(ax, one.longitude, one.latitude, density, norm=_norm(one), cmap="viridis")
