"""Ornstein-Uhlenbeck and the porous medium by minimizing movements (Jordan, Kinderlehrer, Otto 1998)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from meanfield.studies import JkoFlows

STUDIES = {"flows": JkoFlows()}
DEMO = {"flows": JkoFlows()}
TITLES = {"normal": "Ornstein-Uhlenbeck", "porous medium": "porous medium, m = 2"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Profiles by movements (dots) on exact ones (lines); energy and distance moved, step by step."""
    result = results["flows"]
    fig, axes = plt.subplots(
        result.flow.size, 3, figsize=(6.75, 2.1 * result.flow.size), width_ratios=(1.6, 1, 1),
        squeeze=False,
    )  # fmt: skip
    for row, flow in zip(axes, result.flow.values, strict=True):
        one = result.sel(flow=flow)
        _profiles(row[0], one)
        row[0].set_title(TITLES[flow])
        _energy(row[1], one)
        _moved(row[2], one)
    axes[0, 0].legend(loc="upper left", title="time", title_fontsize=7)
    axes[0, 1].legend(loc="upper right")
    return fig


def _profiles(ax: Axes, one: xr.Dataset) -> None:
    shades = plt.get_cmap("viridis")(np.linspace(0.85, 0.0, one.save.size))
    for shade, save in zip(shades, one.save.values, strict=True):
        now = one.sel(save=save)
        ax.plot(
            now.x_exact, now.density_exact, "-", color=shade, lw=1.1, label=f"{float(now.time):g}"
        )
        ax.plot(now.x, now.density, "o", color=shade, ms=2.4, mew=0)
    ax.set(xlabel="x", ylabel=r"$\rho$", ylim=(0, None))


def _energy(ax: Axes, one: xr.Dataset) -> None:
    ax.plot(one.step, one.energy, "o", color="C0", ms=2.4, label="movements")
    ax.plot(one.step, one.energy_exact, "-", color="black", lw=0.8, label="equation")
    ax.set(xlabel="step", ylabel=r"$F(\rho_k)$")


def _moved(ax: Axes, one: xr.Dataset) -> None:
    ax.semilogy(one.step[1:], one.moved[1:], "o", color="C1", ms=2.4)
    ax.semilogy(one.step[1:], one.moved_exact[1:], "-", color="black", lw=0.8)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="step", ylabel=r"$W_2(\rho_k, \rho_{k-1})$")
