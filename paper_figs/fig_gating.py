"""Whether two models agree more at equal effort if they are pulled at saddles, or always."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from meanfield.studies import Gating

STUDIES = {"gating": Gating()}
MARKERS = {"always": "o", "near saddles": "s", "at saddles": "^", "pulse": "D"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: agreement over effort, for each gate; right: over the strength, with the pulse's law."""
    at = results["gating"]
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.75, 2.8), sharey=True)
    for name in at.gate.values:
        one, marker = at.sel(gate=name), MARKERS[str(name)]
        left.plot(one.effort, one.agree, marker=marker, markersize=4, label=str(name))
        right.plot(one.strength, one.agree, marker=marker, markersize=4)
    strength = np.linspace(0, float(at.strength.max()), 101)
    exact = 2 / np.pi * np.arctan(np.exp(2 * strength))
    right.plot(strength, exact, "-", color="0.4", zorder=0, label="pulse, linear flow")
    left.set(xlabel="mean effort", ylabel="share that agrees", title="what effort buys")
    right.set(xlabel="strength of the pull", title="what strength buys")
    left.legend(loc="lower right")
    right.legend(loc="lower right")
    return fig
