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
    """Left: branches of clusters; middle: thresholds over the discount; right: Nash and planner."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.4))
    _branches(left, results["impatience"])
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
    ax.set(xlabel=r"noise $\nu$", ylabel="length of the mean", ylim=(0, 1), xlim=(0, None))
    ax.set_title("clusters, by discount $r$")


def _thresholds(ax: Axes, result: xr.Dataset) -> None:
    flow = float(result.flow.values.max())
    r = np.geomspace(result.discount.values.min(), result.discount.values.max(), 200)
    ax.plot(r, 2 * flow / (1 + np.sqrt(1 + 4 * flow / r)), "-", label="linear theory")
    begin = (4 * result.noise.isel(order=0) - result.noise.isel(order=1)) / 3
    ax.plot(result.discount, begin, "C1o", linestyle="none", markersize=4, label="branches")
    ax.axhline(flow, color="0.6", linestyle="--", linewidth=0.8)
    ax.annotate("attention flow", (r[0], flow), (0, 3), textcoords="offset points", color="0.4")
    ax.set(xlabel="discount $r$ (impatience)", ylabel=r"critical noise $\nu_c$", xscale="log")
    ax.set(ylim=(0, 1.25 * flow), title="where clusters begin")
    ax.legend(loc="lower right")


def _oscillators(ax: Axes, result: xr.Dataset) -> None:
    for who, style in {"nash": ("C0", "o"), "planner": ("C1", "s")}.items():
        one = result.sel(who=who)
        color, marker = style
        ax.plot(one.kappa, one.cost, color=color, marker=marker, markersize=3, label=NAMES[who])
    ax.set(xlabel=r"coupling $\kappa$", ylabel="cost a player pays in unit time")
    ax.set_title("oscillators")
    ax.legend()
