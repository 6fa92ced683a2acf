"""Is attention doubly stochastic in a transformer? Column sums over its layers (arXiv 2110.11773, fig. 2)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from meanfield.studies import AttentionMarginals

STUDIES = {"layers": AttentionMarginals()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: sorted column sums by layer; middle: how far from 1 and from uniform; right: inner products."""
    result = results["layers"]
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.5))
    _columns(left, result)
    _over_layers(middle, result, {"from_one": "from 1", "from_causal": "from causal uniform ones"})
    middle.axhline(float(result.uniform_from_one.mean()), color="0.5", linestyle=":", linewidth=0.9,
                   label="causal uniform ones from 1")  # fmt: skip
    middle.set(ylabel="mean distance of column sums", ylim=(0, 1.6 * _top(result)))
    _over_layers(
        right, result, {"slope_r2": "logits by inner products", "sink_share": "mass on sinks"}
    )
    right.axhline(float(result.uniform_sink_share.mean()), color="0.5", linestyle=":", linewidth=0.9,
                  label="mass on sinks if uniform")  # fmt: skip
    most = float(max(result.slope_r2.max(), result.sink_share.max()))
    right.set(ylabel="share", ylim=(0, 1.8 * most))
    for ax in (middle, right):
        ax.set_xlabel("layer")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        ax.legend(fontsize=6, loc="upper right")
    return fig


def _columns(ax: Axes, result: xr.Dataset) -> None:
    steps = result.step.values
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(steps)))
    shown = {steps[0], steps[len(steps) // 2], steps[-1]}
    for step, shade in zip(steps, shades, strict=True):
        label = f"layer {step}" if step in shown else None
        curve = result["columns"].sel(step=step)
        ax.plot(curve["quantile"], curve, "-", color=shade, linewidth=0.8, label=label)
    ax.axhline(1.0, color="0.5", linestyle=":", linewidth=0.9)
    ax.set(
        xlabel="share of columns with less", ylabel="column sum", yscale="symlog", ylim=(0, None)
    )
    top = float(result["columns"].max())
    ax.set_yticks([0, 1, *(10**k for k in range(1, 4) if 10**k < top)])
    ax.yaxis.set_major_formatter("{x:g}")
    ax.legend(fontsize=6, loc="upper left")


def _over_layers(ax: Axes, result: xr.Dataset, names: dict[str, str]) -> None:
    for k, (name, label) in enumerate(names.items()):
        ends = result[f"{name}_low"], result[f"{name}_high"]
        ax.fill_between(result.step, *ends, color=f"C{k}", alpha=0.2, linewidth=0)
        ax.plot(result.step, result[name], "o-", color=f"C{k}", markersize=2, label=label)


def _top(result: xr.Dataset) -> float:
    return float(
        max(result[name].max() for name in ("from_one", "from_causal", "uniform_from_one"))
    )
