"""Energy staircase of five tokens in rescaled time, and the lifetime of two clusters (arXiv 2410.06833)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from meanfield.studies import Metastability, Staircase
from meanfield.viz import staircase

STUDIES = {"staircase": Staircase(), "passage": Metastability()}
DEMO = {
    "staircase": Staircase(beta=(500.0, 1000.0, 2000.0, 4000.0)),
    "passage": Metastability(beta=(5.0, 10.0, 20.0), n=16),
}
PLATEAUS = (0.28, 0.44, 0.52, 1.0)


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: energies, accurate and faithful; right: two clusters approach, against quadrature."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.75, 2.7), width_ratios=(1.7, 1))
    _energies(left, results["staircase"])
    _passages(right, results["passage"])
    return fig


def _energies(ax: Axes, result: xr.Dataset) -> None:
    shades = plt.get_cmap("viridis")(np.linspace(0.0, 0.88, result.beta.size))
    for shade, beta in zip(shades, result.beta.values, strict=True):
        at = result.sel(beta=beta)
        plateaus = np.array(PLATEAUS) if beta == result.beta[0] else None
        staircase(ax, at.s, at.energy, plateaus, rf"$\beta={beta:g}$", color=shade, linestyle="-")
        published = {"color": "black", "linestyle": (0, (1, 2.5)), "linewidth": 0.9, "zorder": 3}
        staircase(ax, at.step, at.faithful_energy, **published)
    handles, labels = ax.get_legend_handles_labels()
    handles += [Line2D([], [], color="0.4", linestyle="-"), Line2D([], [], **published)]
    labels += ["adaptive, by arc length", "published iteration"]
    ax.legend(handles, labels, loc="upper left", bbox_to_anchor=(0, 0.96), labelspacing=0.3)
    ax.set(xlabel="rescaled time", ylabel="energy", xlim=(0, float(result.s[-1])))


def _passages(ax: Axes, result: xr.Dataset) -> None:
    for k, beta in enumerate(result.beta.values):
        at = result.sel(beta=beta)
        ax.plot(at.exact / at.scale, at.reached, "-", color=f"C{k}")
        label = rf"$\beta={beta:g}$: {float(at.time[-1]):.4g}"
        ax.plot(at.time / at.scale, at.reached, "o", color=f"C{k}", label=label, clip_on=False)
    ax.axvline(1, color="0.65", linestyle=":", linewidth=0.9, zorder=0)
    handles, labels = ax.get_legend_handles_labels()
    handles.append(Line2D([], [], color="0.4", linestyle="-"))
    labels.append("quadrature")
    ends = f"time from {float(result.r[0]):g} to {float(result.r[-1]):g}"
    ax.legend(handles, labels, loc="upper left", title=ends, title_fontsize=7)
    ax.set(xlabel=r"time $/\ (e^\beta/2\beta)$", ylabel=r"$\langle x, y\rangle$ of two clusters")
    ax.set(xlim=(0, None), ylim=(0, 1.02))
