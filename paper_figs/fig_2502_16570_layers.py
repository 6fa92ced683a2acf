"""Entropy, dimension and movement of hidden states over the layers of a language model (arXiv 2502.16570)."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import EntropyByLayer

STUDIES = {"real": EntropyByLayer(recording="example", tokens=64)}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Six quantities over the layers of SmolLM2-135M, on the text that comes with the package."""
    result = results["real"]
    fig, axes = plt.subplots(2, 3, figsize=(7.2, 3.6), sharex=True)
    curves = [
        ("cap entropy [nats]", {"entropy": "tokens", "entropy_matched": "matched vMF"}),
        ("cap entropy, centred [nats]", {"entropy_centred": ""}),
        ("intrinsic dimension", {"dimension": ""}),
        ("mean inner product", {"alignment": "raw", "alignment_centred": "about the mean"}),
        ("angle to next layer [rad]", {"displacement": "tokens", "wasserstein": "W₂"}),
        ("information on next layer", {"information": ""}),
    ]
    for ax, (title, names) in zip(axes.flat, curves, strict=True):
        for name, label in names.items():
            _curve(ax, result, name, label)
        ax.set_ylabel(title)
        if len(names) > 1:
            ax.legend()
    for ax in axes[-1]:
        ax.set_xlabel("layer")
    return fig


def _curve(ax: Axes, result: xr.Dataset, name: str, label: str) -> None:
    """A curve, with its interval: of a single text alone references have one."""
    values = result[name]
    at = values[str(values.dims[0])]
    (line,) = ax.plot(at, values, "o-", markersize=2.5, label=label)
    if f"{name}_low" in result:
        ends = result[f"{name}_low"], result[f"{name}_high"]
        ax.fill_between(at, *ends, color=line.get_color(), alpha=0.2, linewidth=0)
