"""A trained feed-forward layer lets tokens gather, then leave in the last layers (2605.07772)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from meanfield.studies import EscapedClusters
from meanfield.viz import angle_ticks

STUDIES = {"escaped": EscapedClusters()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: tokens where weights are dear; middle: order, by penalty; right: where the weights are."""
    at = results["escaped"]
    fig, (tokens, order, spent) = plt.subplots(1, 3, figsize=(6.75, 2.7))
    last = at.effort.size - 1
    paths = at.isel(effort=last).angle.transpose("depth", "token")
    tokens.plot(at.depth, paths, "-", color=f"C{last}", linewidth=0.7)
    angle_ticks(tokens.yaxis)
    tokens.set(xlabel="depth", ylabel="angle of a token [rad]")
    tokens.set_title(f"{at.token.size} tokens, penalty {float(at.effort[last]):g}")
    order.plot(at.depth, at.isel(effort=0).idle, "-", color="0.5", label="attention alone")
    for k, effort in enumerate(at.effort.values):
        one, mark = at.sel(effort=effort), {"marker": "os^D"[k % 4], "markersize": 2.5}
        order.plot(at.depth, one.order, f"C{k}", **mark, label=f"penalty {effort:g}")
        spent.plot(at.depth, one.spent, f"C{k}", **mark)
    order.set(xlabel="depth", ylabel="length of the mean token", ylim=(0, 1))
    order.set_title("dear: gather, then leave")
    spent.set(xlabel="depth", ylabel="squared weights of a layer", yscale="log")
    spent.set(yticks=[0.2, 0.5, 1], ylim=(np.nanmin(at.spent) / 1.3, 1.3 * np.nanmax(at.spent)))
    spent.yaxis.set_major_formatter("{x:g}")
    spent.yaxis.set_minor_formatter("")
    spent.set_title("dear weights grow with depth")
    fig.legend(loc="outside lower center", ncols=4)
    return fig
