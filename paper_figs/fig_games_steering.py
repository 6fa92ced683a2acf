"""Three transformers that are pushed until they agree on a token: disagreement over effort."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from meanfield.studies import SteeredTransformers

STUDIES = {"steered": SteeredTransformers()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """The divergence that is left, over the effort, for pushes before all layers, one, and at random."""
    result = results["steered"]
    fig, ax = plt.subplots(figsize=(3.25, 2.5))
    single = [str(kind) for kind in result.kind.values if str(kind).startswith("push")]
    names = {"always": "before every layer", "random": "random directions"}
    names |= {kind: f"before layer {int(kind.split()[1]) + 1} alone" for kind in single}
    marks = dict(zip(names, "osv^D<", strict=False))
    for i, (kind, text) in enumerate(names.items()):
        one = result.sel(kind=kind)
        ax.plot(one.effort, one.divergence, f"C{i}", marker=marks[kind], label=text)
    ax.axhline(float(result.idle.max()), color="0.6", linewidth=0.8, linestyle=":")
    ax.set(xlabel="effort, of the states' squares", ylabel="divergence [nat]", xscale="log")
    ax.set(ylim=(0, 1.75 * float(result.idle.max())))  # room for the legend
    ax.legend(loc="upper left")
    return fig
