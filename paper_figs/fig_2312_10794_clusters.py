"""Tokens on the circle at t = 0, 18, 30, and how many clusters they form (arXiv 2312.10794, fig. 4)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import Clustering
from meanfield.viz import circle_masses, mass_key

STUDIES = {
    "layers": Clustering(dimensions=(2,), betas=(4.0, 9.0), realizations=512, faithful=True),
    "flow": Clustering(dimensions=(2,), betas=(4.0, 9.0), realizations=512),
}
DEMO = {
    name: Clustering(dimensions=(2,), betas=(4.0, 9.0), realizations=128, faithful=name == "layers")
    for name in STUDIES
}
TIMES = (0, 18, 30)


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """A row a beta: a typical start at three times, and the final numbers of clusters over all starts."""
    flow = results["flow"].sel(d=2)
    betas = flow.beta.values[-2:]
    fig, axes = plt.subplots(
        len(betas), 4, figsize=(6.75, 1.75 * len(betas)), width_ratios=[1, 1, 1, 1.5], squeeze=False
    )
    for row, beta in zip(axes, betas, strict=True):
        at = flow.sel(beta=beta)
        for ax, t in zip(row, TIMES, strict=False):
            seen = at.x.sel(time=t, method="nearest")
            circle_masses(ax, seen.values)
            ax.set_title(rf"$\beta = {beta:g}$,  $t = {float(seen.time):g}$")
        _numbers(row[-1], {name: one.sel(d=2, beta=beta) for name, one in results.items()})
    n, d = flow.sizes["token"], flow.sizes["axis"]
    fig.suptitle(f"n = {n} tokens, d = {d}; shares over {flow.sizes['realization']} starts")
    axes[-1, -1].legend(loc="upper left", frameon=False)
    mass_key(axes[-1, 1], n)
    return fig


def _numbers(ax: Axes, results: dict[str, xr.Dataset]) -> None:
    """Shares of the starts that end in 1, 2, ... clusters, the published layers beside the flow."""
    highest = max(int(at["count"].isel(time=-1).max()) for at in results.values()) + 1
    for k, (at, shift) in enumerate(zip(results.values(), (-0.2, 0.2), strict=True)):
        last = at["count"].isel(time=-1).values
        share = np.bincount(last, minlength=highest + 1)[1:] / last.size
        where = np.arange(1, highest + 1) + shift
        ax.bar(where, share, 0.38, color=f"C{k}", label=at.integrator)
        # Standard errors of shares of so many independent starts.
        ax.errorbar(where, share, (share * (1 - share) / last.size) ** 0.5, fmt="none", ecolor="0.3",
                    elinewidth=0.7)  # fmt: skip
    ax.set(ylabel="share of starts", ylim=(0, 1.3), xticks=range(1, highest + 1))
    ax.set(yticks=[0, 0.5, 1], xlabel=f"clusters at t = {float(at.time[-1]):g}")
