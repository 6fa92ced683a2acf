"""Are attention matrices doubly stochastic? Sorted column sums over training (arXiv 2110.11773, figure 2)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from meanfield.studies import TrainedSinkformer

STUDIES = {"trained": TrainedSinkformer(rates=(3e-3,), starts=(0,))}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Column sums of each layer, softmax and Sinkhorn, from early (light) to late; and the loss."""
    result = results["trained"].isel(rate=0, start=0)
    steps = result.step.values
    kinds = result.attention.values
    shape = {"figsize": (7.2, 1.8 * len(kinds)), "layout": "constrained", "squeeze": False}
    fig, axes = plt.subplots(len(kinds), len(steps) + 1, **shape)
    for row, kind in zip(axes, kinds, strict=True):
        one = result.sel(attention=kind)
        shades = plt.get_cmap("viridis_r")(np.linspace(0.1, 1, one.sizes["save"]))
        for ax, step in zip(row, steps, strict=False):
            for save, shade in enumerate(shades):
                curve = one.columns.sel(step=step).isel(save=save)
                label = f"{int(one.at.values[save])} steps"
                ax.plot(curve["quantile"], curve, color=shade, linewidth=0.8, label=label)
            ax.axhline(1.0, color="gray", linestyle=":", linewidth=0.8)
            ax.set(title=f"{kind}, layer {step}", xlabel="quantile of columns", ylabel="column sum")
        row[-1].plot(one.at, one.loss, "o-", markersize=2.5)
        known = {"color": "gray", "linestyle": ":", "linewidth": 0.8}
        row[-1].axhline(float(one.unigram), label="frequencies alone", **known)
        row[-1].set(title=kind, xlabel="steps of training", ylabel="held-out loss, nats")
    # What each curve is, once: the others are drawn alike.
    axes[0, 0].legend()
    axes[0, -1].legend()
    return fig
