"""Drift and noise of the layers of a transformer: what explains steps, which layers diffuse or contract."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from meanfield.studies import DriftByLayer

STUDIES = {"layers": DriftByLayer()}
NAMES = {
    "writes": "what the layer writes",
    "linear": "linear",
    "quadratic": "gradient of a quadratic",
    "constant": "constant push",
    "attention": "idealized attention",
}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: held-out shares with intervals; middle: noise with a drift and without; right: contraction."""
    result = results["layers"]
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.5))
    _shares(left, result)
    _noise(middle, result)
    _contraction(right, result)
    for ax in (left, middle, right):
        ax.set_xlabel("layer")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    return fig


def _shares(ax: Axes, result: xr.Dataset) -> None:
    for k, (name, label) in enumerate(NAMES.items()):
        if f"{name}_r2" not in result:
            continue
        ends = result[f"{name}_low"], result[f"{name}_high"]
        ax.fill_between(result.step, *ends, color=f"C{k}", alpha=0.2, linewidth=0)
        ax.plot(result.step, result[f"{name}_r2"], "o-", color=f"C{k}", markersize=2, label=label)
    ax.set(ylabel="held-out share of increments", ylim=(-0.08, 1.75), yticks=(0, 0.5, 1))
    ax.legend(fontsize=6, loc="upper right")


def _noise(ax: Axes, result: xr.Dataset) -> None:
    ax.plot(result.step, result.linear_naive, "o--", color="0.4", markersize=2, label="no drift")
    for k, name in ((1, "linear"), (2, "quadratic")):
        ax.plot(result.step, result[f"{name}_noise"], "o-", color=f"C{k}", markersize=2,
                label=f"beside {NAMES[name]}")  # fmt: skip
    most, least = float(result.linear_naive.max()), float(result.linear_noise.min())
    ax.set(ylabel=r"noise $\nu$ a layer", yscale="log", ylim=(least / 2, 8 * most))
    ax.legend(fontsize=6, loc="upper right")


def _contraction(ax: Axes, result: xr.Dataset) -> None:
    d_noise = result.quadratic_contraction
    ax.plot(result.step, d_noise, "o-", color="C2", markersize=2)
    ax.axhline(0.0, color="0.5", linewidth=0.6)
    ax.set(ylabel="rate of contraction, at least")
    ax.set_title("above 0 layers surely contract")
