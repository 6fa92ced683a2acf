"""Models that see only messages: held, late, in batches, of models that rest or lie."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import lambertw

from meanfield.studies import Protocols

STUDY = Protocols()
STUDIES = {"protocols": STUDY}
NAMES = {"way": "way held", "way, known": "way held, known", "place": "place held"}
MARKS = {"line": (".", 1.0), "sphere": ("o", 2.0)}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Above: what a message leaves, and what it costs; below: delays, and one that rests or lies."""
    result = results["protocols"]
    fig, ((left, costs), (late, traitors)) = plt.subplots(2, 2, figsize=(6.75, 4.8))
    few = result.isel(players=0)
    span = few.period * STUDY.layer * float(few.gain)
    _left(left, few, span)
    _costs(costs, few, span)
    _late(late, few)
    _traitors(traitors, result)
    return fig


def _left(ax: Axes, one: xr.Dataset, span: xr.DataArray) -> None:
    z = np.linspace(1e-3, 1.05 * float(span.max()), 200)
    root = np.sqrt(1 + z**2 / 12)
    exact = {"way": 1 - z, "way, known": (root - z / 2) / (root + z / 2), "place": np.exp(-z)}
    for i, (name, factor) in enumerate(exact.items()):
        ax.plot(z, factor, color=f"C{i}", label=NAMES[name])
        for space in one.space.values:
            ax.plot(span, one.factor.sel(protocol=name, space=space), **_mark(space, f"C{i}"))
    ax.axhline(-1, color="0.6", linestyle=":", linewidth=0.8)
    ax.annotate("unstable below", (0, -1), (0, 3), textcoords="offset points", color="0.4")
    ax.set(xlabel=r"time between messages $P\tau$", ylabel="share left by a message")
    ax.set(title="what a message leaves", xlim=(0, None))
    ax.legend(loc="upper right")


def _costs(ax: Axes, one: xr.Dataset, span: xr.DataArray) -> None:
    finite = one.cost.where(np.isfinite(one.cost))
    for i, name in enumerate(NAMES):
        ax.plot(span, finite.sel(protocol=name), f"C{i}o-", label=NAMES[name])
    ax.axvline(2, color="C0", linestyle=":", linewidth=0.8)
    ax.set(xlabel=r"time between messages $P\tau$", ylabel="cost over seeing all", yscale="log")
    ax.set(title="what it costs", xlim=(0, None), ylim=(0.8, 100), yticks=[1, 3, 10, 30, 100])
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")
    ax.legend(loc="upper left")


def _late(ax: Axes, one: xr.Dataset) -> None:
    z = np.linspace(1e-3, 1.75, 300)
    exact = {"way": (lambertw(-z) / z).real, "place": -np.ones_like(z)}
    delay = one.delay * STUDY.layer * float(one.gain)
    rate = 1 / (STUDY.layer * float(one.gain))
    for i, (sent, text) in enumerate(
        {"way": "late ways, thin layers", "place": "late places, thin layers"}.items()
    ):
        color = f"C{2 * i}"
        ax.plot(z, exact[sent], color=color, linestyle="-", label=text)
        for space in one.space.values:
            growth = rate * np.log(one.growth.sel(sent=sent, space=space))
            ax.plot(delay, growth, **_mark(space, color))
    for space in one.space.values:
        ax.plot([], [], label=f"runs, {space}", **_mark(space, "0.3"))
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.axvline(np.pi / 2, color="C0", linestyle=":", linewidth=0.8)
    ax.annotate(r"$\pi/2$", (np.pi / 2, 0), (3, -10), textcoords="offset points", color="C0")
    ax.set(
        xlabel=r"delay $P\tau$",
        ylabel="growth rate over $P$",
        xlim=(0, 1.75),
        title="late messages",
    )
    ax.legend()


def _traitors(ax: Axes, result: xr.Dataset) -> None:
    shown = {
        "paid": "others pay,\nif one rests",
        "kept": "it pays\nitself",
        "seen": "law broken\nby a liar",
        "speed": "speed of\nits victims",
    }
    n = result.players.size
    for i, name in enumerate(shown):
        for j in range(n):
            value = float(result[name][j])
            at, label = i + (j - (n - 1) / 2) * 0.3, f"N = {int(result.players[j])}"
            ax.bar(at, value, 0.28, color=f"C{j}", label=label if i == 0 else None)
            ax.text(at, value + 0.03, f"{value:.2f}", ha="center", fontsize=6)
    ax.set_xticks(range(len(shown)), list(shown.values()))
    ax.set(title="one that rests, or lies", ylabel="ratio of costs, or speed")
    ax.legend()


def _mark(space: str, color: str) -> dict:
    """Dots within circles, so that both are seen."""
    marker, size = MARKS[str(space)]
    size = {"markersize": 3 * size, "markerfacecolor": "none"}
    return {"marker": marker, "linestyle": "none", "color": color, **size}
