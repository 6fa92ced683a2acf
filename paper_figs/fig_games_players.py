"""Few players on the circle reach their mean-field game like 1/N, with the number that theory gives."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import mathieu_a

from meanfield.studies import ManyPlayers

STUDIES = {"players": ManyPlayers()}
MARKERS = {"oscillators": "o", "attention": "s"}
RING = {"color": "black", "markersize": 8, "fillstyle": "none", "linestyle": "none", "marker": "o"}
TICKS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
STAR = {"markersize": 8, "linestyle": "none", "marker": "*"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: what a player pays over 1/N, and in the limit; middle: N times the difference, and theory's;
    right: how far the law of two players is from its limit.

    Lines are parabolas through the three largest N; on the right they join the points.
    """
    at = results["players"]
    fig, (left, right, law) = plt.subplots(1, 3, figsize=(6.75, 2.8))
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
        off = np.abs(one.together - one.together_limit)
        law.plot(at.players, off, **{**mark, "linestyle": "-", "linewidth": 0.7})
        left.plot([], [], **mark, label=f"{kernel}, noise {noise:g}")
        if kernel == "oscillators":
            exact = 2 * noise**2 / 3 * mathieu_a(0, 3 / (4 * noise**2))
            left.plot(1 / 2, exact, **RING)
    left.plot([], [], color="0.4", **STAR, label="infinitely many, theory")
    left.plot([], [], **RING, label="pendulum, exact")
    for ax in (left, right):
        ax.set(xlabel="players $N$, spaced by $1/N$", xlim=(-0.025, line[-1] + 0.025))
        ax.set_xticks([0, *share[::-1]], ["∞", *(f"{n}" for n in at.players.values[::-1])])
    left.set(ylabel="cost of a player in unit time", title="few become many")
    right.set(ylabel="$N$ (cost - its limit)", title="like $1/N$")
    _beside_a_power(law, at)
    fig.legend(loc="outside lower center", ncols=3)
    return fig


def _beside_a_power(ax: Axes, at: xr.Dataset) -> None:
    """Logarithmic axes, and a line of slope -1 above all curves."""
    players, off = at.players.values, np.abs(at.together - at.together_limit)
    top = float(off.max())
    ax.set(xscale="log", yscale="log")
    ax.set(xlabel="players $N$", ylabel=r"|mean $\cos(x_1 - x_2)$ - its limit|")
    ax.set_title("and so their law")
    ax.plot(players, 2.5 * top / players, "--", color="0.4", linewidth=0.8)
    ax.text(players[-2], 2.8 * top / players[-2], "$1/N$", ha="left", va="bottom")
    ax.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
    ax.set_ylim(float(off.min()) / 1.2, 1.5 * top)
    ax.set_xticks(players, [f"{n}" for n in players])
    ax.minorticks_off()
