"""Histograms of 20,000 tokens by the published Euler steps and by adaptive ones (arXiv 2410.23228)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from meanfield.studies import PublishedClusters

STUDIES = {"clusters": PublishedClusters()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Above, the histogram at the published step; below, that of every time."""
    result = results["clusters"]
    size = result.beta.size
    fig, axes = plt.subplots(
        2, size, figsize=(3.375 * size, 4.4), height_ratios=(1, 1.2), sharex=True, squeeze=False
    )
    mesh = None
    for (above, below), beta in zip(axes.T, result.beta.values, strict=True):
        one = result.sel(beta=beta)
        _histogram(above, one)
        mesh = _times(below, one)
    fig.colorbar(mesh, ax=axes[1], label="density, adaptive steps", extend="both")
    for above, below in axes.T:
        above.set_ylabel("density")
        below.set_ylabel("time")
    axes[0, 0].legend(loc="upper right")
    return fig


def _histogram(ax: Axes, one: xr.Dataset) -> None:
    seen = one.isel(save=int(one.picture))
    width = 2 * np.pi / one.angle.size
    ax.bar(one.angle, seen.faithful_density, width, color="0.75", label="published Euler steps")
    edges = width * np.arange(one.angle.size + 1)
    ax.stairs(seen.density, edges, color="C0", linestyle="-", lw=0.9, label="adaptive steps")
    time = float(seen.time)
    step = round(time / float(one.dt))
    title = (
        rf"$\beta={float(one.beta):g}$, {int(one.tokens):,} tokens, t = {time:g} (step {step:,})"
    )
    top = max(float(seen.density.max()), float(seen.faithful_density.max()))
    ax.set(title=title, ylim=(0, 1.3 * top))


def _times(ax: Axes, one: xr.Dataset):
    norm = LogNorm(0.1, 100)
    density = np.maximum(one.density, 1e-3)
    mesh = ax.pcolormesh(
        one.angle, one.time, density, norm=norm, shading="nearest", rasterized=True
    )
    ax.axhline(one.time[int(one.picture)], color="white", lw=0.8, ls="--")
    ax.set_title("all times; dashed: that above")
    ax.set(xlabel="angle", xlim=(0, 2 * np.pi), xticks=np.arange(5) * np.pi / 2)
    ax.set_xticklabels(["0", "π/2", "π", "3π/2", "2π"])
    return mesh
