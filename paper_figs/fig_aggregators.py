"""Clusters as tokens: effective information under two laws of interventions, and what aggregation loses."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import Aggregators

STUDIES = {"chains": Aggregators()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: effective information of tokens and of clusters; right: error of clusters as tokens."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.75, 2.6))
    _information(left, results["chains"])
    _defects(right, results["chains"])
    return fig


def _information(ax: Axes, result: xr.Dataset) -> None:
    ax.plot(result.beta, result.micro, "o", color="C0", label="12 tokens, evenly")
    ax.plot(result.beta, result.macro_mass, "-", color="C1", label="2 clusters, by mass")
    ax.plot(result.beta, result.macro_even, "s--", color="C2", label="2 clusters, evenly")
    ax.set(xlabel=r"$\beta$", ylabel="effective information [bit]", ylim=(0, None))
    ax.set_title("what clusters gain is the intervention's")
    ax.legend()


def _defects(ax: Axes, result: xr.Dataset) -> None:
    shown = result.beta.values[:: max(1, result.beta.size // 3)]
    for k, beta in enumerate(shown):
        at = result.defect.sel(beta=beta)
        ax.loglog(at.width, at, "os^v"[k % 4] + "-", color=f"C{k}", label=rf"$\beta={beta:g}$")
    first = result.defect.sel(beta=shown[0])
    line = float(first[-1]) * (first.width / float(first.width[-1])) ** 2
    ax.loglog(first.width, line / 2, "k:", label="order 2")
    ax.set(xlabel="spread of the clusters [rad]", ylabel="error of clusters as tokens [rad]")
    ax.set_xticks(result.width.values, [f"{w:g}" for w in result.width.values])
    ax.xaxis.set_minor_formatter("")
    ax.set_title("error after a layer")
    ax.legend()
