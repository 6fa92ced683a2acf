"""Tokens on S^2 gather in clusters (Geshkovski et al., arXiv 2312.10794): SA and USA from one cloud.

Globes and film show the flow, integrated accurately; dotted lines below, the published layers.
"""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield import viz
from meanfield.studies import Trajectories

STUDIES = {"flow": Trajectories(), "layers": Trajectories(faithful=True)}
DEMO = STUDIES
LAYERS: dict = {"color": "black", "linestyle": (0, (1, 2)), "linewidth": 0.9, "zorder": 3}
TAIL = 1 / 15
"""Share of the run that a track goes back in the film."""


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Clouds at four times with the tracks so far, a row a kind of attention, over the energy."""
    tokens = results["flow"]
    kinds = tokens.attention.values.tolist()
    marks = [tokens.time.values[i] for i in _moments(tokens)]
    fig = plt.figure(figsize=(6.75, 1.8 * len(kinds) + 2.6))
    above, below = fig.subfigures(2, 1, height_ratios=[1.8 * len(kinds) + 0.6, 2.0])
    n, d = tokens.sizes["token"], tokens.sizes["axis"]
    above.suptitle(f"n = {n} tokens, d = {d}, β = {tokens.beta:g}; colours: the final cluster")
    view = _view(tokens)
    globes = above.subplots(len(kinds), 4, squeeze=False)
    for kind, row in zip(kinds, globes, strict=True):
        for ax, i in zip(row, _moments(tokens), strict=True):
            _cloud(ax, tokens.sel(attention=kind), i, 0, view)
            ax.set_title(f"{kind}, t = {tokens.time.values[i]:.3g}")
    left, right = below.subplots(1, 2)
    _lines(left, results, "energy", marks)
    left.set_ylabel("energy (1: one cluster)")
    below.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    _lines(right, results, "clusters", marks)
    right.set_ylabel("number of clusters")
    right.set_yscale("log", base=2)
    right.yaxis.set_major_formatter("{x:g}")
    viz.mass_key(globes[-1, 0], n)
    return fig


def animate(results: dict[str, xr.Dataset]) -> FuncAnimation:
    """The clouds side by side, tracks fading after a while; time runs quadratically."""
    tokens = results["flow"]
    kinds = tokens.attention.values.tolist()
    fig, axes = plt.subplots(1, len(kinds), figsize=(2 * len(kinds), 2.2), dpi=110, squeeze=False)
    last, view = tokens.time.size - 1, _view(tokens)
    frames = np.unique((last * np.linspace(0, 1, 36) ** 2).round().astype(int)).tolist()

    def update(i: int) -> None:
        for ax, kind in zip(axes[0], kinds, strict=True):
            ax.clear()
            _cloud(ax, tokens.sel(attention=kind), i, max(0, i - round(TAIL * last)), view)
            ax.set_title(f"{kind}, t = {tokens.time.values[i]:4.1f}")

    return viz.film(fig, update, frames)


def _moments(tokens: xr.Dataset) -> list[int]:
    """The start, a twelfth, a fifth and the end of the run."""
    last = tokens.time.size - 1
    return [0, last // 12, last // 5, last]


def _view(tokens: xr.Dataset) -> tuple[float, float]:
    """From where most tokens show at the end, of all kinds of attention together."""
    return viz.facing(np.concatenate([*tokens.x.isel(time=-1).values]))


def _cloud(ax: Axes, one: xr.Dataset, i: int, start: int, view: tuple[float, float]) -> None:
    """The tokens at save i, coloured by the cluster they end in, with their tracks from `start`."""
    history, labels = one.x.values[start : i + 1], one.label.values
    if len(history) > 1:
        viz.sphere_tracks(ax, history, labels, view=view)
    viz.sphere_masses(ax, history[-1], labels=labels, view=view)


def _lines(ax: Axes, results: dict[str, xr.Dataset], name: str, marks: list[float]) -> None:
    """A quantity over time, a line a kind of attention; the times of the panels are marked."""
    flow, layers = results["flow"], results["layers"]
    for kind in flow.attention.values.tolist():
        ax.plot(flow.time, flow[name].sel(attention=kind), label=f"{kind}: {flow.integrator}")
    for k, kind in enumerate(layers.attention.values.tolist()):
        less = " (USA: less)" if "USA" in layers.attention else ""
        label = None if k else f"as published: {layers.integrator}{less}"
        ax.plot(layers.time, layers[name].sel(attention=kind), **LAYERS, label=label)
    for mark in marks:
        ax.axvline(mark, color="0.8", linewidth=0.6, linestyle="-", zorder=0)
    ax.set_xlabel("time")
    ax.margins(x=0.01)
