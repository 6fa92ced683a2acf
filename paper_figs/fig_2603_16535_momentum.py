"""Tokens with inertia: a pair swings as a pendulum, energy is kept or lost, friction leads to the flow."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import Momentum

STUDIES = {"momentum": Momentum()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: angles of two tokens; middle: energy of a cloud; right: the limit of much friction."""
    result = results["momentum"]
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.5))
    few = [f for f in result.friction.values if f <= 6][:3]
    for k, friction in enumerate(few):
        at = result.sel(friction=friction)
        left.plot(at.time, at.pendulum, "-", color=f"C{k}", lw=1.0, label=f"{friction:g}")
        every = max(1, at.time.size // 30)
        left.plot(at.time[::every], at.angle[::every], "o", color=f"C{k}", markersize=2.5)
    left.axhline(0, color="0.6", lw=0.6)
    left.set(xlabel="time", ylabel="angle between two tokens")
    left.set_title("dots: tokens; lines: pendulum")
    left.set_ylim(None, 1.75 * float(result.pendulum.max()))
    left.legend(title="friction", ncols=len(few), loc="upper right", fontsize=6, title_fontsize=6)
    for k, friction in enumerate(few):
        middle.plot(
            result.time,
            result.energy.sel(friction=friction),
            "-",
            color=f"C{k}",
            label=f"{friction:g}",
        )
    middle.set(xlabel="time", ylabel="energy less its start")
    middle.set_title("friction takes energy")
    middle.legend(title="friction", fontsize=6, title_fontsize=6)
    _limit(right, result)
    return fig


def _limit(ax: Axes, result: xr.Dataset) -> None:
    much = result.sel(friction=result.friction[result.friction > 0])
    gap = np.abs(much.meets - much.limit) / much.limit
    friction = much.friction.values
    ax.loglog(friction, gap, "o", color="C0", label="two tokens")
    ax.loglog(friction, float(gap[-1]) * (friction / friction[-1]) ** -2.0, "k:", label="order 2")
    ax.set(xlabel="friction", ylabel="time to come near, off the limit")
    ax.set_title("much friction: no inertia")
    ax.legend()
