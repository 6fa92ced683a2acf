"""The heat equation from attention: error against eps and against n, slopes on it (arXiv 2110.11773)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from meanfield import viz
from meanfield.studies import HeatLimit, HeatLimitCoupling, HeatLimitParticles

STUDIES = {"eps": HeatLimit(), "n": HeatLimitParticles(), "both": HeatLimitCoupling()}
TITLES = {"Sinkhorn": "Sinkhorn attention", "L2": "softmax by distance"}
HALF = {
    "Sinkhorn": r"$\partial_t \rho = \frac{1}{2}\Delta\rho$",
    "L2": r"$\partial_t \rho = \Delta\rho$",
}
STARTS = {
    "Gaussian, R": "Gaussian on R",
    "Gaussian, R2": "Gaussian on R²",
    "mixture, R": "mixture on R",
    "circle": "mixture on the circle",
    "sphere": "mixture on S²",
}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Above, the limit eps -> 0 without sampling; below, sampling at fixed eps, and both at once."""
    fig, axes = plt.subplots(2, 2, figsize=(6.75, 5.6))
    for ax, name in zip(axes[0], TITLES, strict=True):
        _in_eps(ax, results["eps"].sel(attention=name), name)
    _in_n(axes[1, 0], results["n"])
    _in_both(axes[1, 1], results["both"].sel(attention="Sinkhorn"))
    for letter, ax in zip("abcd", axes.ravel(), strict=True):
        ax.set_title(letter, loc="left", fontweight="bold")
    return fig


def _in_eps(ax: Axes, one: xr.Dataset, name: str) -> None:
    lowest = one.start[one.error.min("eps").values.argmin()]  # the triangle stands below it
    for k, start in enumerate(s for s in STARTS if s in one.start):
        curve, order = one.error.sel(start=start), 1 if start == lowest else None
        viz.convergence(ax, one.eps, curve, STARTS[start], order=order, k=k)
    ax.set(xlabel="kernel variance ε", ylabel="distance to the heat flow")
    ax.set_title(f"{TITLES[name]}, n = ∞:  {HALF[name]}")
    _plain_ticks(ax, one.eps.values)
    ax.legend(title="fitted order in ε", title_fontsize=7, loc="upper left")
    low, high = ax.get_ylim()
    ax.set_ylim(low / 1.5, high * 14)


def _in_n(ax: Axes, result: xr.Dataset) -> None:
    k = 0
    for start in result.start.values.tolist():
        for name in (a for a in TITLES if a in result.attention):
            one = result.sel(attention=name, start=start)
            label = f"{name}, {start.replace('R2', 'R²')}"
            viz.convergence(ax, one.n, one.distance, label, order=-0.5 if k == 0 else None, k=k)
            ax.errorbar(one.n, one.distance, one.distance_error, fmt="none", ecolor=f"C{k}", lw=0.8)
            k += 1
    ax.set(xlabel="tokens n", ylabel="distance to the limit n = ∞")
    ax.set_title("random tokens, fixed ε")
    _plain_ticks(ax, result.n.values)
    ax.legend(title="fitted power of n", title_fontsize=7, loc="lower left")
    low, high = ax.get_ylim()
    ax.set_ylim(low / 4, high * 1.2)


def _in_both(ax: Axes, one: xr.Dataset) -> None:
    bias = one.bias.isel(n=-1)
    ax.loglog(one.eps, bias, color="0.35", ls="-", lw=0.9, label="n = ∞", zorder=1)
    for k, n in enumerate(one.n.values.tolist()):
        curve = one.error.sel(n=n)
        ax.loglog(
            one.eps, curve, color=f"C{k}", ls="-", marker="os^Dv"[k], lw=0.9, label=f"n = {n}"
        )
        least = int(np.argmin(curve.values))
        ax.plot(one.eps[least], curve[least], "o", ms=9, mfc="none", mec=f"C{k}", mew=0.8)
    ax.set(xlabel="kernel variance ε", ylabel="distance to the heat flow")
    ax.set_title("Sinkhorn, both: the best ε for each n")
    _plain_ticks(ax, one.eps.values)
    ax.legend(loc="lower right")


def _plain_ticks(ax: Axes, values) -> None:
    """Ticks on the horizontal axis where the numbers are."""
    ax.set_xticks(values, [f"{v:g}".removeprefix("0") for v in values])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks([], minor=True)
