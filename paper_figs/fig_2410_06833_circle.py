"""Five tokens on the circle that merge slowly: angles against time (arXiv 2410.06833)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from meanfield.studies import SlowMerging
from meanfield.viz import angle_ticks, circle_masses

STUDIES = {"tokens": SlowMerging()}
SNAPSHOTS = (0.0, 20.0, 320.0)
PUBLISHED: dict = {"color": "black", "linestyle": (0, (1, 2.5)), "linewidth": 0.9, "zorder": 3}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Above: the circle at three times; below: all angles, accurate and faithful, and merges."""
    result = results["tokens"]
    fig = plt.figure(figsize=(6.75, 3.0))
    grid = fig.add_gridspec(3, 2, width_ratios=(1, 4.2))
    for row, t in enumerate(SNAPSHOTS):
        _snapshot(fig.add_subplot(grid[row, 0]), result.sel(time=t, method="nearest"))
    early, late = (
        grid[:, 1].subgridspec(1, 2, width_ratios=(1, 2.2), wspace=0.05).subplots(sharey=True)
    )
    for ax, start, end in ((early, 0.0, 20.0), (late, 20.0, float(result.time[-1]))):
        _angles(ax, result, start, end)
    _finish(early, late)
    return fig


def _snapshot(ax: Axes, at: xr.Dataset) -> None:
    circle_masses(ax, at.x, labels=np.arange(at.token.size))
    ax.text(0, 0, f"$t={float(at.time):g}$", ha="center", va="center", fontsize=7)


def _angles(ax: Axes, result: xr.Dataset, start: float, end: float) -> None:
    at = result.sel(time=slice(start, end))
    for k, (exact, published) in enumerate(zip(_turn(at.x), _turn(at.faithful_x), strict=True)):
        ax.plot(at.time, exact, color=f"C{k}", linestyle="-", linewidth=1.5)
        ax.plot(at.time, published, **PUBLISHED)
    events = result[["merged", "kept", "absorbed", "mass"]].to_dataframe()
    for _, event in events[events.merged.between(start, end)].iterrows():
        token = _turn(result.x.sel(time=event.merged, method="bfill"))[int(event.kept)]
        ax.plot(event.merged, token, "o", color="black", markerfacecolor="white", zorder=4)
        ax.annotate(
            f"{event.mass:.1f}", (event.merged, float(token)), (0, 6),
            textcoords="offset points", ha="center", fontsize=7,
        )  # fmt: skip
    ax.set(xlim=(start, end), xlabel="time")


def _turn(x: xr.DataArray) -> np.ndarray:
    """Angles in [0, 2 pi), tokens first: none of these tokens passes angle 0."""
    angles = np.arctan2(x.isel(axis=1), x.isel(axis=0)) % (2 * np.pi)
    return angles.transpose("token", ...).values


def _finish(early: Axes, late: Axes) -> None:
    early.set(ylabel="angle", ylim=(0, 3.5))
    angle_ticks(early.yaxis)
    handles = [
        Line2D([], [], color="0.4", linestyle="-", linewidth=1.5),
        Line2D([], [], **PUBLISHED),
        Line2D([], [], color="black", marker="o", markerfacecolor="white", linestyle="none"),
    ]
    labels = ["adaptive steps", "published Euler, step 0.1", "merge, with its mass"]
    late.legend(handles, labels, loc="center left", bbox_to_anchor=(0.02, 0.45))
    late.spines["left"].set_visible(False)
    late.tick_params(axis="y", left=False)
