"""Tokens whose velocities align: particles meet where the pressureless Euler equation blows up, at log 2."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import AlignmentShock

STUDIES = {"shock": AlignmentShock()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: paths that meet and paths that do not; right: when, by slope and number of particles."""
    result = results["shock"]
    fig, axes = plt.subplots(1, 3, figsize=(6.75, 2.5))
    steep = -2.0 if -2.0 in result.slope.values else float(result.slope.min())
    for ax, slope in zip(axes, (steep, float(result.slope.max())), strict=False):
        _paths(ax, result.sel(slope=slope).isel(n=-1), slope)
    axes[1].sharey(axes[0])
    _times(axes[2], result)
    return fig


def _paths(ax: Axes, at: xr.Dataset, slope: float) -> None:
    end = float(at.meet) if np.isfinite(at.meet) else 6.0
    ax.plot(at.moment * end, at.path, "-", color="C0", lw=0.7)
    met = np.isfinite(float(at.meet))
    if met:
        ax.axvline(
            float(at.shock), color="C1", ls="--", lw=1.0, label=f"shock at {float(at.shock):.4f}"
        )
        ax.legend(loc="upper left", fontsize=6)
    ax.set(xlabel="time", ylabel="place of a token", xlim=(0, 1.04 * end), ylim=(-3.4, 4.4))
    ax.set_title(f"slope {slope:g}: {'they meet' if met else 'they never meet'}")


def _times(ax: Axes, result: xr.Dataset) -> None:
    slopes = np.linspace(float(result.slope.min()) * 1.1, -1.03, 200)
    ax.plot(slopes, -np.log1p(1 / slopes), "-", color="C1", label=r"$-\log(1 + 1/d_0)$")
    met = result.sel(slope=result.slope[result.slope < -1])
    for k, n in enumerate(result.n.values):
        ax.plot(met.slope, met.meet.sel(n=n), "os^"[k % 3], color=f"C{(0, 2, 3)[k % 3]}",
                markersize=4 - k, label=f"{n} tokens")  # fmt: skip
    ax.axhline(np.log(2), color="0.5", ls=":", lw=0.8)
    ax.annotate(
        "log 2", (float(slopes[0]), np.log(2)), (0, 2), textcoords="offset points", fontsize=6
    )
    ax.set(xlabel=r"slope at the start, $d_0$", ylabel="time at which tokens meet")
    ax.set_title("when they meet")
    ax.legend(loc="upper left", fontsize=6)
