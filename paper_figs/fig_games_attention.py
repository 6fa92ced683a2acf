"""Players who plan ahead: attention as a mean-field game, over patience, noise and coupling."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import Impatience, MeanFieldGames

STUDIES = {"impatience": Impatience(), "oscillators": MeanFieldGames()}
NAMES = {"nash": "Nash", "planner": "planner"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: branches of clusters, that of the flow dashed; middle: thresholds over the discount, points
    being where branches begin, dashes that of the flow; right: Nash and planner, and aversion."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.4))
    _branches(left, results["impatience"].sel(kernel="unnormalized"))
    _thresholds(middle, results["impatience"])
    _oscillators(right, results["oscillators"])
    return fig


def _branches(ax: Axes, result: xr.Dataset) -> None:
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, result.discount.size))
    for shade, r in zip(shades, result.discount.values, strict=True):
        one = result.sel(discount=r)
        ax.plot(one.noise, one.order, "-", color=shade)
        if r in (result.discount.values[0], result.discount.values[-1]):
            at = (float(one.noise[-1]), float(one.order[-1]))
            ax.annotate(
                f"r = {r:g}", at, (0, 3), textcoords="offset points", color=shade, ha="center"
            )
        ax.plot(one.critical, 0, "o", color=shade, markersize=3, clip_on=False, zorder=3)
    flow = result.isel(discount=-1)
    ax.plot(flow.flow_noise, flow.flow_order.where(flow.flow_order < 0.9), "k--", linewidth=0.8)
    ax.text(0.04, 0.04, "dashed:\nthe flow", transform=ax.transAxes, fontsize=6)
    ax.plot(flow.flow, 0, "o", color="0.4", markersize=3, clip_on=False, zorder=3)
    ax.set(xlabel=r"noise $\nu$", ylabel="length of the mean", ylim=(0, 1), xlim=(0, None))
    ax.set_title("clusters, unnormalized, by $r$")


def _thresholds(ax: Axes, result: xr.Dataset) -> None:
    r = np.geomspace(result.discount.values.min(), result.discount.values.max(), 200)
    for number, kernel in enumerate(result.kernel.values):
        one, color = result.sel(kernel=kernel), f"C{number}"
        flow = float(one.flow.values.max())
        ax.plot(r, 2 * flow / (1 + np.sqrt(1 + 4 * flow / r)), "-", color=color, label=kernel)
        begin = (4 * one.noise.isel(order=0) - one.noise.isel(order=1)) / 3
        ax.plot(one.discount, begin, "o", color=color, linestyle="none", markersize=3)
        ax.axhline(flow, color=color, linestyle="--", linewidth=0.6)
    ax.set(xlabel="discount $r$ (impatience)", ylabel=r"critical noise $\nu_c$", xscale="log")
    ax.set(ylim=(0, None), title="where clusters begin")
    ax.legend(loc="lower right", fontsize=6)


def _oscillators(ax: Axes, result: xr.Dataset) -> None:
    for who, color in {"nash": "C0", "planner": "C1"}.items():
        for aversion, style in zip(result.aversion.values, ("o-", "s--", "^:"), strict=False):
            one = result.sel(who=who, aversion=aversion)
            label = NAMES[who] + (f", aversion {aversion:g}" if aversion else "")
            ax.plot(one.kappa, one.cost, style, color=color, markersize=2.5, label=label)
    ax.set(xlabel=r"coupling $\kappa$", ylabel="cost a player pays in unit time")
    ax.set_title("oscillators")
    ax.legend(fontsize=6)
