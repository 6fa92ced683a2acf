"""Tokens at large beta in three phases: they align, run the heat equation backward, and merge in pairs."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import ModerateInteraction

STUDIES = {"phases": ModerateInteraction()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: errors over beta; middle: what the second phase differs by; right: gaps of the third."""
    result = results["phases"]
    fig, axes = plt.subplots(1, 3, figsize=(6.75, 2.5))
    _errors(axes[0], result)
    _heat(axes[1], result)
    _gaps(axes[2], result)
    return fig


def _errors(ax: Axes, result: xr.Dataset) -> None:
    for k, (name, label) in enumerate({"aligned": "align", "heated": "heat [rad]"}.items()):
        ax.loglog(result.beta, result[name], "os"[k], color=f"C{k}", label=label)
        line = float(result[name][-1]) * float(result.beta[-1]) / result.beta
        ax.loglog(result.beta, line, ":", color=f"C{k}", lw=1)
    ax.plot([], [], ":", color="0.4", label=r"$\propto 1/\beta$")
    ax.set(xlabel=r"$\beta$", ylabel="distance from the limit")
    ax.set_title("first and second phase")
    ax.set_xticks(result.beta.values, [f"{beta:g}" for beta in result.beta.values])
    ax.minorticks_off()
    ax.legend(fontsize=6)


def _heat(ax: Axes, result: xr.Dataset) -> None:
    """What is left of the heat equation, times beta: one curve for all beta, if of first order."""
    for k, beta in enumerate(result.beta.values):
        own = result.sel(beta=beta)
        look = {"color": f"C{k}", "lw": 2.4 - 0.7 * k, "label": rf"$\beta = {beta:g}$"}
        ax.plot(own.exact, beta * (own.angle - own.exact), **look)
    ax.set(
        xlabel="angle by the heat equation [rad]", ylabel=r"$\beta$ (angle of token $-$ it) [rad]"
    )
    ax.set_title("second phase")
    ax.set_xticks([-np.pi, 0, np.pi], [r"$-\pi$", "0", r"$\pi$"])
    ax.legend(fontsize=6)


def _gaps(ax: Axes, result: xr.Dataset) -> None:
    for k, beta in enumerate(result.beta.values):
        own = result.sel(beta=beta)
        ax.plot(own.clock, own.alone, "-", color=f"C{k}", lw=1)
        ax.plot(
            own.clock[::2], own.gap[::2], "o", color=f"C{k}", ms=3, label=rf"$\beta = {beta:g}$"
        )
    ax.plot([], [], "-", color="0.4", lw=1, label="a pair alone")
    ax.set(xlabel="time, 1 for the pair alone", ylabel="gap of the near pair [rad]")
    ax.set_title("third phase")
    ax.legend(fontsize=6)
