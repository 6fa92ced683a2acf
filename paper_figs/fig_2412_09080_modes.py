"""Modes of kernel densities of normal tokens, where they gather first, and how their number grows."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from meanfield.studies import KernelModes

STUDIES = {"modes": KernelModes()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: a density at the smallest and the largest beta; right: modes over sqrt(beta log beta)."""
    result = results["modes"]
    fig = plt.figure(figsize=(6.75, 3.0))
    left, right = fig.subfigures(1, 2, width_ratios=(1.25, 1.0))
    axes = left.subplots(2, 1, sharex=True)
    for k, (ax, beta) in enumerate(zip(axes, (result.beta[0], result.beta[-1]), strict=True)):
        _density(ax, result.sel(beta=beta), f"C{k}")
    axes[0].tick_params(labelbottom=False)
    axes[1].set_xlabel("place, in standard deviations")
    _growth(right.subplots(), result)
    return fig


def _density(ax: Axes, at: xr.Dataset, color: str) -> None:
    values = at.density.values
    inner = values[1:-1]
    top = np.flatnonzero((inner > values[:-2]) & (inner >= values[2:])) + 1
    ax.plot(at.place, values, "-", color=color, lw=0.8)
    ax.plot(at.place[top], values[top], ".", color="k", markersize=3)
    ax.set(ylabel="density", ylim=(0, 1.1))
    ax.set_title(rf"{int(at.tokens)} tokens, $\beta={float(at.beta):g}$: {top.size} modes shown")


def _growth(ax: Axes, result: xr.Dataset) -> None:
    beta = result.beta.values
    grown = np.sqrt(beta * np.log(beta))
    rows = (("modes", "error", "all"), ("middle", "middle_error", "|x| up to 1.5"))
    for k, (name, error, label) in enumerate(rows):
        ax.errorbar(
            beta, result[name] / grown, 2 * result[error] / grown,
            fmt="os"[k], color=f"C{k}", capsize=2, label=label,
        )  # fmt: skip
    ax.plot(beta, result.gaussian / grown, "-", color="C1", label="Kac and Rice")
    ax.set(xscale="log", xlabel=r"$\beta$", ylabel=r"modes over $\sqrt{\beta \log \beta}$")
    ax.set(ylim=(0, 0.7))
    ax.set_xticks(beta, [f"{b:g}" for b in beta])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(FixedLocator([0, 0.2, 0.4, 0.6]))
    ax.set_title("their number grows as the theorem says")
    ax.legend(loc="lower left")
