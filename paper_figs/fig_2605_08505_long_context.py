"""Attention over long contexts: the share of the best keys, their order, and modes of densities of tokens."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from meanfield.studies import KernelModes, LongContext

LEAST = 1e-4
"""The least weight that is shown."""
STUDIES = {"keys": LongContext(), "modes": KernelModes()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: E sum w^2 over the scale; middle: weights by rank; right: modes of kernel densities."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.5))
    _shares(left, results["keys"])
    _ranks(middle, results["keys"])
    _modes(right, results["modes"])
    return fig


def _shares(ax: Axes, result: xr.Dataset) -> None:
    for k, d in enumerate(result.d.values):
        at = result.sel(d=d)
        ax.plot(at.scale, at.limit, "-", color=f"C{k}", label=f"d = {d}")
        bars = {"fmt": "o", "color": f"C{k}", "markersize": 3, "capsize": 2}
        ax.errorbar(at.scale, at.share, 2 * at.error, **bars)
    ax.set(xscale="log", xlabel=r"scale $\beta n^{-2/(d-1)}$", ylabel=r"$E\,\sum_j w_j^2$")
    ax.set(title="lines: limit; dots: draws", ylim=(0, 1.05))
    _plain(ax, result.scale.values)
    ax.legend()


def _ranks(ax: Axes, result: xr.Dataset) -> None:
    d = 3 if 3 in result.d.values else int(result.d[0])
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, result.scale.size))
    for shade, scale in zip(shades, result.scale.values, strict=True):
        at = result.weights.sel(d=d, scale=scale)
        ax.plot(
            result["rank"],
            at.where(at > 1.5 * LEAST),
            "o-",
            color=shade,
            markersize=2,
            label=f"{scale:g}",
        )
    ax.set(xscale="log", yscale="log", xlabel="rank of a key", ylabel="mean weight")
    ax.set(title=f"d = {d}", ylim=(LEAST, 3))
    _plain(ax, [1, 2, 5, 10, 20])
    ax.legend(title="scale", loc="upper right", ncols=2, columnspacing=1.0, handlelength=1.0)


def _modes(ax: Axes, result: xr.Dataset) -> None:
    beta = result.beta.values
    bars = {"fmt": "o", "markersize": 3, "capsize": 2}
    ax.errorbar(beta, result.modes, 2 * result.error, color="C0", label="all", **bars)
    ax.errorbar(beta, result.middle, 2 * result.middle_error, color="C1", label="middle", **bars)
    ax.plot(beta, result.gaussian, "-", color="C1", label="Kac and Rice")
    grown = np.sqrt(beta * np.log(beta))
    ax.plot(
        beta, float((result.modes / grown).mean()) * grown, "k:", label=r"$\sqrt{\beta\log\beta}$"
    )
    ax.set(xscale="log", yscale="log", xlabel=r"$\beta$", ylabel="modes of the density")
    _plain(ax, beta)
    ax.yaxis.set_major_locator(FixedLocator([5, 10, 20, 50]))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(None, 2.2 * float(result.modes.max()))
    ax.legend(loc="upper left")


def _plain(ax: Axes, ticks) -> None:
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
