"""Which clouds on the circle meet and which end in three clusters, over beta and n (arXiv 2507.22857)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from meanfield.studies import SyncMap
from meanfield.viz import overlay_curve

STUDIES = {"clouds": SyncMap()}
SAFE, TRIANGLE = -0.16, -2 / 3


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left and middle: shares that meet and that end in three clusters; right: both, for few and many."""
    fig, axes = plt.subplots(1, 3, figsize=(6.75, 2.8), width_ratios=[1, 1, 1.4])
    result = results["clouds"].sortby("beta").sortby("n")
    _map(axes[0], result, "met")
    mesh = _map(axes[1], result, "triangle")
    axes[0].set(title="meet in one point", ylabel="tokens $n$")
    axes[1].set(title="rest in three clusters", yticklabels=[])
    label = "share of clouds"
    fig.colorbar(mesh, ax=axes[:2], label=label, ticks=[0, 0.5, 1], location="bottom", aspect=40)
    _cuts(axes[2], result)
    return fig


def _map(ax: Axes, result: xr.Dataset, name: str) -> QuadMesh:
    """One square a cell, for neither beta nor n is even; known bounds between the squares they part."""
    betas = result.beta.values
    shares = result[name].transpose("n", "beta").values
    mesh = ax.pcolormesh(shares, vmin=0, vmax=1, edgecolors="white", linewidth=0.3)
    for bound, style in ((SAFE, "-"), (TRIANGLE, ":")):
        if betas[0] < bound <= betas[-1]:
            column = (betas < bound).sum()
            overlay_curve(ax, [column, column], [0, result.sizes["n"]], linestyle=style)
    ax.set_xticks(np.arange(betas.size) + 0.5, [f"{beta:g}" for beta in betas], rotation=90)
    ax.set_yticks(np.arange(result.sizes["n"]) + 0.5, [f"{n}" for n in result.n.values])
    ax.set_xlabel(r"$\beta$")
    return mesh


def _cuts(ax: Axes, result: xr.Dataset) -> None:
    below = result.sel(beta=result.beta < 0)
    for k, n in enumerate(sorted({int(result.n.min()), int(result.n.max())})):
        at = below.sel(n=n)
        bars = np.maximum(np.stack([at.met - at.low, at.high - at.met]), 0)
        ax.errorbar(
            at.beta, at.met, bars, fmt="o", ms=3, color=f"C{k}", capsize=2, label=f"$n = {n}$"
        )
        if n == 3:
            ax.plot(at.beta, 1 - at.exact, "-", color=f"C{k}", lw=0.8, label="$n = 3$, in theory")
    for bound, style, words in (
        (SAFE, "-", "all meet from -.16"),
        (TRIANGLE, ":", "triangles from -2/3"),
    ):
        ax.axvline(bound, color="0.3", ls=style, lw=0.8, zorder=0)
        ax.annotate(words, (bound, 0.02), (-3, 0), textcoords="offset points", rotation=90,
                    ha="right", va="bottom", fontsize=6)  # fmt: skip
    _crossing(ax, below)
    ax.set(xlabel=r"$\beta$", ylabel="share that meets", ylim=(-0.04, 1.3), yticks=[0, 0.5, 1])
    ax.set_title("few tokens and many")
    ax.legend(loc="upper left", ncols=2)


def _crossing(ax: Axes, below: xr.Dataset) -> None:
    """Where the third mode of the uniform law grows as fast as the first, by the two beta around it."""
    ratio, beta = np.log(below.ratio.isel(n=0).values)[::-1], below.beta.values[::-1]
    after = int(np.searchsorted(ratio, 0))
    if (
        0 < after < len(ratio) and beta[after - 1] - beta[after] <= 1
    ):  # further apart they do not tell
        at = np.interp(0, ratio, beta)
        ax.axvline(at, color="0.3", ls="--", lw=0.8, zorder=0)
        ax.annotate("third mode faster", (at, 0.02), (-3, 0), textcoords="offset points",
                    rotation=90, ha="right", va="bottom", fontsize=6)  # fmt: skip
