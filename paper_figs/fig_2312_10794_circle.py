"""Tokens on the circle in space and time (arXiv 2312.10794, figure 4): SA and USA, two betas."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield import viz
from meanfield.studies import Trajectories

STUDIES = {f"β = {beta:g}": Trajectories(d=2, beta=beta) for beta in (4.0, 9.0)}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Angles over time, a row a beta and a column a kind of attention; clouds at three times."""
    kinds = next(iter(results.values())).attention.values.tolist()
    fig = plt.figure(figsize=(6.75, 2.6 * len(results)))
    grid = fig.add_gridspec(len(results), 2 * len(kinds), width_ratios=[3, 1] * len(kinds))
    for row, (name, tokens) in enumerate(results.items()):
        for column, kind in enumerate(kinds):
            one = tokens.sel(attention=kind)
            ax = fig.add_subplot(grid[row, 2 * column])
            _space_time(ax, one)
            ax.set_title(f"{kind}, {name}")
            _clouds(fig, grid[row, 2 * column + 1], one)
    return fig


def _space_time(ax: Axes, one: xr.Dataset) -> None:
    lines = viz.circle_tracks(ax, one.x.values, one.time.values, one.label.values)
    for line in lines:
        line.set(linewidth=0.7, linestyle="-")


def _clouds(fig: Figure, cell, one: xr.Dataset) -> None:
    """The cloud at 0, at three fifths of the time and at the end: 0, 18, 30 as in the paper."""
    last = one.time.size - 1
    inner = cell.subgridspec(3, 1)
    for k, i in enumerate((0, 3 * last // 5, last)):
        ax = fig.add_subplot(inner[k])
        viz.circle_points(ax, one.x.values[i], labels=one.label.values, area=12)
        ax.set_title(f"t = {one.time.values[i]:g}", fontsize=7)
