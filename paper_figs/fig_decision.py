"""When a small push decides the clusters, when a run has decided itself, and the rate of entropy."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from meanfield.studies import Decision

STUDIES = {"decision": Decision()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Above: pushes, by runs and by the adjoint; below: one run left alone, and its entropy."""
    at = results["decision"]
    fig, axes = plt.subplots(2, 2, figsize=(6.75, 4.6))
    (pushed, adjoint), (alone, entropy) = axes
    pushed.plot(at.push, at.flipped_exact, "-", color="0.4", label="linear flow")
    pushed.plot(at.push, at.flipped, "o", markersize=3, label="runs")
    pushed.set(xlabel="time of the push", ylabel="share turned", title="a push decides")
    pushed.legend()
    adjoint.plot(at.read, np.exp(at.growth_exact), "-", color="0.4", label="linear flow")
    adjoint.plot(at.read, np.exp(at.growth), "o", markersize=3, label="adjoint")
    adjoint.set(xlabel="time of the push", ylabel="sensitivity over that at 0")
    adjoint.set(title="what a push is worth")
    adjoint.legend(loc="lower center")
    alone.plot(at.look, at.kept, "-")
    alone.set(xlabel="time", ylabel="share of copies", title="copies that end alike")
    entropy.plot(at.look, np.abs(at.rate), "-")
    entropy.set(xlabel="time", ylabel="$|dH/dt|$", yscale="log", title="rate of the entropy")
    for ax in (alone, entropy):
        ax.axvline(float(at.decided_exact), color="0.4", label="decided, linear flow")
    alone.legend(loc="lower right")
    return fig
