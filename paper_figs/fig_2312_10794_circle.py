"""Tokens on the circle in space and time (arXiv 2312.10794, figure 4): SA and USA, two betas.

Coloured: the flow, integrated accurately. Black: the layers of the published code from the same start.
"""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from meanfield import viz
from meanfield.studies import Trajectories

SEED = 2
"""Of a start that ends, as most do and the published one does, in two clusters and in three."""
STUDIES = {
    f"{mode} {beta:g}": Trajectories(d=2, n=32, beta=beta, seed=SEED, faithful=mode == "layers")
    for mode in ("flow", "layers")
    for beta in (4.0, 9.0)
}
LAYERS: dict = {"color": "black", "linestyle": (0, (1, 2)), "linewidth": 0.6, "zorder": 3}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Angles over time, a row a beta and a column a kind of attention; clouds at three times."""
    panels = _panels(results)
    rows, columns = len(panels), len(panels[0])
    fig = plt.figure(figsize=(6.75, 2.6 * rows + 0.3))
    grid = fig.add_gridspec(rows, 2 * columns, width_ratios=[2.4, 1] * columns)
    for row, of_one_beta in enumerate(panels):
        for column, (title, flow, layers) in enumerate(of_one_beta):
            ax = fig.add_subplot(grid[row, 2 * column])
            _space_time(ax, flow, layers)
            ax.set_title(title)
            inner = grid[row, 2 * column + 1].subgridspec(3, 1)
            for k, i in enumerate(_moments(flow)):
                _cloud(fig.add_subplot(inner[k]), flow, layers, i)
    lines = [Line2D([], [], color="C0", linestyle="-"), Line2D([], [], **LAYERS)]
    fig.legend(lines, _modes(results), loc="outside lower center", ncols=2)
    flow = panels[0][0][1]
    n, d = flow.sizes["token"], flow.sizes["axis"]
    fig.suptitle(f"n = {n} tokens, d = {d}; discs: tokens that coincide, by their number")
    return fig


def animate(results: dict[str, xr.Dataset]) -> FuncAnimation:
    """All clouds side by side, the published layers as dots inside; time runs quadratically."""
    panels = [panel for of_one_beta in _panels(results) for panel in of_one_beta]
    fig, axes = plt.subplots(1, len(panels), figsize=(1.4 * len(panels), 1.8), dpi=110)
    last = panels[0][1].time.size - 1
    frames = np.unique((last * np.linspace(0, 1, 48) ** 2).round().astype(int)).tolist()
    time = fig.supxlabel("", fontsize=8)

    def update(i: int) -> None:
        for ax, (title, flow, layers) in zip(np.atleast_1d(axes), panels, strict=True):
            ax.clear()
            _cloud(ax, flow, layers, i)
            ax.set_title(title)
        time.set_text(f"t = {panels[0][1].time.values[i]:4.1f}")

    return viz.film(fig, update, frames)


def _panels(results: dict[str, xr.Dataset]) -> list[list[tuple[str, xr.Dataset, xr.Dataset]]]:
    """A row a beta: the title, the flow and the layers of each kind of attention."""
    made = []
    for name, flow in results.items():
        mode, beta = name.split(" ")
        if mode == "flow":
            layers = results[f"layers {beta}"]
            kinds, text = flow.attention.values.tolist(), f"β = {flow.beta:g}"
            made.append(
                [(f"{a}, {text}", flow.sel(attention=a), layers.sel(attention=a)) for a in kinds]
            )
    return made


def _modes(results: dict[str, xr.Dataset]) -> tuple[str, str]:
    flow, layers = (
        next(r for name, r in results.items() if name.startswith(mode))
        for mode in ("flow", "layers")
    )
    less = " (USA: smaller)" if "USA" in layers.attention else ""
    return f"accurate: {flow.integrator}", f"as published: {layers.integrator}{less}"


def _moments(one: xr.Dataset) -> tuple[int, int, int]:
    """The start, three fifths of the time and the end: 0, 18, 30 as in the paper."""
    last = one.time.size - 1
    return 0, 3 * last // 5, last


def _space_time(ax: Axes, flow: xr.Dataset, layers: xr.Dataset) -> None:
    for line in viz.circle_tracks(ax, flow.x.values, flow.time.values, flow.label.values):
        line.set(linewidth=0.8, linestyle="-")
    for line in viz.circle_tracks(ax, layers.x.values, layers.time.values):
        line.set(**LAYERS)


def _cloud(ax: Axes, flow: xr.Dataset, layers: xr.Dataset, i: int) -> None:
    """The tokens of the flow, and those of the layers as dots inside."""
    viz.circle_masses(ax, flow.x.values[i], labels=flow.label.values)
    ax.plot(*(0.5 * layers.x.values[i]).T, ".", color="black", markersize=2)
    ax.set_title(f"t = {flow.time.values[i]:g}", fontsize=7)
