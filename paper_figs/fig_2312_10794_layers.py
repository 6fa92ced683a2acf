"""Histograms of inner products of tokens over the layers of a language model (arXiv 2312.10794, figure 1)."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from meanfield import viz
from meanfield.studies import EntropyByLayer

STUDIES = {"real": EntropyByLayer(recording="example", tokens=64)}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """One histogram a layer of SmolLM2-135M, raw and about the mean; the embedding at the top."""
    result = results["real"]
    fig, axes = plt.subplots(1, 2, figsize=(6.0, 3.4), sharey=True)
    labels = [str(layer) for layer in result.layer.values]
    for ax, name in zip(axes, ("histogram", "histogram_centred"), strict=True):
        viz.histogram_ridge(ax, result.bin, result[name], labels)
    axes[0].set(xlabel="inner product", ylabel="layer", xticks=[-1, -0.5, 0, 0.5, 1])
    axes[1].set(xlabel="inner product about the mean", xticks=[-1, -0.5, 0, 0.5, 1])
    return fig
