"""How long softmax attention lingers at the saddles of a staircase, by their unstable eigenvalues."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from meanfield.studies import DwellTimes

STUDIES = {"dwell": DwellTimes()}
MARKERS = "os^"


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: distances from both saddles along a run; right: times within their radius, and theory's."""
    at, radius = results["dwell"], STUDIES["dwell"].radius
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.75, 2.8))
    one = at.isel(n=-1)
    for k, name in enumerate(at.saddle.values):
        left.plot(one.time, one.distance.sel(saddle=name), color=f"C{k}", label=f"{name}")
    left.axhline(radius, color="0.4", linestyle="--")
    longest = float(np.nanmax(at.dwell))
    left.set(xlabel="time", ylabel="distance from the saddle", yscale="log")
    left.set(title=f"{int(one.n)} tokens", xlim=(0, None), ylim=(1e-7, 5))
    left.legend(loc="lower right")
    for k, name in enumerate(at.saddle.values):
        for marker, n in zip(MARKERS, at.n.values, strict=False):
            point = at.sel(saddle=name, n=n)
            right.plot(point.predicted, point.dwell, marker, color=f"C{k}", fillstyle="none",
                       markersize=4 + 3 * MARKERS.index(marker), label=f"{name}, n = {n}")  # fmt: skip
    ends = np.array([1.0, 2 * longest])
    right.plot(ends, ends, "-", color="0.4", zorder=0)
    right.set(
        xlabel="time by the eigenvalues", ylabel="time of the run", xscale="log", yscale="log"
    )
    right.set(title="time within the radius")
    right.legend(loc="upper left")
    return fig
