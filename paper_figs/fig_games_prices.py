"""Models that steer toward each other for themselves: gains, what is left, and the price of anarchy."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import LqGames, PriceOfAnarchy

STUDIES = {"games": LqGames(), "price": PriceOfAnarchy()}
COLORS = {"open loop": "C0", "feedback": "C1", "planner": "C2"}
LINES = {"open loop": "-", "feedback": "--", "planner": ":"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: gains of two models; middle: how far they stay apart; right: prices over their number."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.4))
    games = results["games"]
    few = games.isel(players=0)
    for ax, name in ((left, "gain"), (middle, "left")):
        for play in games.play.values:
            color, line = COLORS[str(play)], LINES[str(play)]
            ax.plot(games.time, few[name].sel(play=play), line, color=color, label=str(play))
    number = int(few.players)
    left.set(xlabel="time", ylabel="gain $P$", ylim=(0, None), title=f"{number} models: how hard")
    middle.set(xlabel="time", ylabel="share of the distance left", ylim=(0, 1))
    middle.set_title(f"{number} models: how near")
    left.legend(loc="lower left")
    _prices(right, results["price"])
    return fig


def _prices(ax: Axes, price: xr.Dataset) -> None:
    n = np.geomspace(price.players.values.min(), price.players.values.max(), 200)
    for name, share in {"open loop": 1 - 1 / n, "feedback": (n - 1) / (n + 1)}.items():
        color = COLORS[name]
        ax.plot(n, 100 * ((share + 1) / (2 * share**0.5) - 1), LINES[name], color=color)
        over = 100 * (price.endless.sel(play=name) - 1)
        ax.plot(price.players, over, "o", color=color, markersize=3.5, label=f"{name}, endless")
    over = 100 * (price.step_price - 1)
    style = {"color": "0.4", "marker": "D", "markersize": 3.5, "linestyle": "none"}
    ax.plot(price.players, over, **style, label="one step, found by\nbest responses")
    ax.set(xscale="log", yscale="log", xlabel="models $N$", ylabel="price of anarchy - 1 [%]")
    ax.set(
        xticks=price.players.values, title="what it costs", ylim=(None, 300)
    )  # room for the legend
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.legend()
