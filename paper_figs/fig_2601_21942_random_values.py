"""Random value matrices: two tokens merge or become antipodal (arXiv 2601.21942)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from meanfield.studies import RandomValues

STUDIES = {"pairs": RandomValues()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """The probability of antipodes over beta, by the scale function and by runs."""
    result = results["pairs"]
    fig, ax = plt.subplots(figsize=(4.2, 2.9))
    for k, d in enumerate(result.d.values):
        at = result.sel(d=d)
        ax.plot(at.beta, at.antipodal, "-", color=f"C{k}", label=f"d = {d}")
        ax.plot(float(at.critical), 0, "|", color=f"C{k}", markersize=9, clip_on=False)
        error = np.stack([at.share - at.share_low, at.share_high - at.share])
        ax.errorbar(at.tried, at.share, error, fmt="o", color=f"C{k}", markersize=3.5, capsize=2)
    ax.plot([], [], "ko", markersize=3.5, label="runs of two tokens")
    ax.plot([], [], "k|", markersize=9, label=r"$\beta_c$")
    ax.set(xlabel=r"$\beta$", ylabel="probability of antipodes", ylim=(0, None), xlim=(0, None))
    ax.set_title("with random values, tokens merge or part for ever")
    ax.legend()
    return fig
