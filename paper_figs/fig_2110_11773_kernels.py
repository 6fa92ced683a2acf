"""A kernel between two clouds, as it is, by softmax and doubly stochastic (arXiv 2110.11773, fig. 1)."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from meanfield.studies import SinkformerKernels

STUDIES = {"kernels": SinkformerKernels()}
TITLES = {
    "K0": "$K^0$: no normalization",
    "K1": "$K^1$: softmax",
    "published": "$K^\\infty$ as published:\ncolumns {error:.1%} off",
    "K_inf": "$K^\\infty$: Sinkhorn,\ncolumns {error:.0e} off",
}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """The weights as lines between queries and keys, as thick as they are large."""
    one = results["kernels"].isel(start=0)
    fig, axes = plt.subplots(1, one.kind.size, figsize=(8.4, 2.5))
    for ax, kind in zip(axes, one.kind.values, strict=True):
        kernel = one.kernel.sel(kind=kind)
        _lines(ax, one, kernel)
        error = float(abs(kernel.sizes["key"] * kernel.sum("query") - 1).max())
        ax.set_title(TITLES[str(kind)].format(error=error))
    handles, labels = axes[0].get_legend_handles_labels()
    handles.append(Line2D([], [], color="black", ls="-", lw=2))
    labels.append("the largest weight; others as thick as they are large")
    fig.legend(handles, labels, loc="outside lower center", ncols=3)
    return fig


def _lines(ax: Axes, one: xr.Dataset, kernel: xr.DataArray) -> None:
    queries, keys = one.queries.values, one["keys"].values
    for i, query in enumerate(queries):
        for j, key in enumerate(keys):
            share = float(kernel[i, j] / kernel.max())
            if share > 1e-3:
                ax.plot(*zip(query, key, strict=True), "-", color="black", lw=2 * share, zorder=1)
    for points, color, name in ((queries, "C3", "queries"), (keys, "C2", "keys")):
        ax.scatter(*points.T, s=18, color=color, edgecolor="black", lw=0.5, zorder=2, label=name)
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.margins(0.08)
    ax.spines[:].set(visible=True, color="0.8", linewidth=0.5)
