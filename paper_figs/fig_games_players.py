"""Few players on the circle reach their mean-field game like 1/N, with the number that theory gives."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.special import mathieu_a

from meanfield.studies import ManyPlayers

STUDIES = {"players": ManyPlayers()}
MARKERS = {"oscillators": "o", "attention": "s"}
RING = {"color": "black", "markersize": 8, "fillstyle": "none", "linestyle": "none", "marker": "o"}
STAR = {"markersize": 8, "linestyle": "none", "marker": "*"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: what a player pays over 1/N, and in the limit; right: N times the difference, and theory's.

    Lines are parabolas through the three largest N.
    """
    at = results["players"]
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.75, 3.1), sharex=True)
    share, noises = 1 / at.players.values, at.noise.values
    line = np.linspace(0, share.max(), 50)
    for c, (kernel, noise) in enumerate((k, noise) for k in at.kernel.values for noise in noises):
        one, color = at.sel(kernel=kernel, noise=noise), f"C{c}"
        mark = {"marker": MARKERS[str(kernel)], "color": color, "linestyle": "none"}
        for ax, value, known in ((left, one.cost, one.limit), (right, one.gap, one.theory)):
            curve = np.polynomial.Polynomial.fit(share[-3:], value.values[-3:], 2)
            ax.plot(line, curve(line), "-", color=color, linewidth=0.7)
            ax.plot(0, known, color=color, **STAR)
            ax.plot(share, value, **mark)
        left.plot([], [], **mark, label=f"{kernel}, noise {noise:g}")
        if kernel == "oscillators":
            exact = 2 * noise**2 / 3 * mathieu_a(0, 3 / (4 * noise**2))
            left.plot(1 / 2, exact, **RING)
    left.plot([], [], color="0.4", **STAR, label="infinitely many, theory")
    left.plot([], [], **RING, label="pendulum, exact")
    for ax in (left, right):
        ax.set(xlabel="players $N$, spaced by $1/N$", xlim=(-0.025, line[-1] + 0.025))
        ax.set_xticks([0, *share[::-1]], ["∞", *(f"{n}" for n in at.players.values[::-1])])
    left.set(ylabel="cost of a player in unit time", title="few players become a mean-field game")
    right.set(ylabel="$N$ (cost - its limit)", title="they reach it like $1/N$")
    fig.legend(loc="outside lower center", ncols=3)
    return fig
