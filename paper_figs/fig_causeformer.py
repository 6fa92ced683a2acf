"""Causal attention without sinks: columns, two tokens, rates, work, beside causal softmax."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import j1

from meanfield.studies import Causeformer

STUDIES = {"causal": Causeformer()}
COLORS = {"softmax": "C0", "Sinkhorn": "C3"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Above: what the first token draws, over time and over its bias, and rates. Below: two tokens."""
    data = results["causal"]
    fig, axes = plt.subplots(2, 3, figsize=(6.75, 4.4))
    for ax, panel in zip(
        axes.ravel(), (_columns, _sinks, _rates, _two, _merging, _work), strict=True
    ):
        panel(ax, data)
    handles, names = axes[0, 1].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=3)
    return fig


def _columns(ax: Axes, data: xr.Dataset) -> None:
    at = data.isel(beta=0)
    for bias, style in zip(at.bias.values, ("--", "-"), strict=False):
        for kind, color in COLORS.items():
            one = at.column.sel(attention=kind, bias=bias)
            ax.plot(at.layer, one, style, color=color, lw=1.1)
        ax.plot([], [], style, color="0.4", lw=1.1, label=f"bias {bias:g}")
    ax.set(xlabel="layer", ylabel="drawn by the first token", ylim=(0, None))
    ax.set_title(rf"$\beta = {float(at.beta):g}$, n = {at.token.size}")
    ax.legend()


def _sinks(ax: Axes, data: xr.Dataset) -> None:
    at, n = data.isel(beta=0), data.token.values
    for kind, color in COLORS.items():
        ax.plot(
            at.extra, at.sink.sel(attention=kind), "o", color=color, ms=4, label=f"causal {kind}"
        )
    s = np.linspace(at.extra.values[0], at.extra.values[-1], 100)
    ax.plot(s, (np.exp(s) / (np.exp(s) + n[:, None] - 1)).sum(axis=0), "k:", lw=1.1, label="exact")
    ax.axhline((1 / n).sum(), color="k", ls=":", lw=1.1)
    ax.set(xlabel="bias of the first token", ylabel="drawn by the first token")
    ax.set(ylim=(0, 1.08 * n[-1]))
    ax.set_title("attention sinks, all tokens alike")


def _rates(ax: Axes, data: xr.Dataset) -> None:
    at = data.isel(beta=-1)
    for (kind, color), mark in zip(COLORS.items(), "ox", strict=True):
        ax.plot(at.token, at.rate.sel(attention=kind), mark, color=color, ms=5, mfc="none")
    ax.plot(at.token, 1 - 1 / at.token, "k:", lw=1.1)
    ax.set(xlabel="token $i$", ylabel="rate")
    ax.set_title("back to consensus")


def _two(ax: Axes, data: xr.Dataset) -> None:
    shown = data.beta.values[:3]
    for beta, width in zip(shown, (0.7, 1.1, 1.6), strict=False):
        for kind, color in COLORS.items():
            one = data.sel(attention=kind, beta=beta)
            ax.plot(one.reached, one.angle, "-", color=color, lw=width)
        ax.plot([], [], "-", color="0.4", lw=width, label=rf"$\beta = {beta:g}$")
    exact = data.reached.sel(attention="Sinkhorn").isel(beta=0).values
    ax.plot(exact, 2 * np.arctan(np.tan(1.0) * np.exp(-exact / 2)), "k:", lw=1.1)
    ax.set(xlabel="time", ylabel="angle", ylim=(0, None), xlim=(0, 60))
    ax.set_title("two tokens meet")
    ax.legend()


def _merging(ax: Axes, data: xr.Dataset) -> None:
    merging = data.reached.isel(angle=0)
    for kind, color in COLORS.items():
        ax.semilogy(data.beta, merging.sel(attention=kind), "o", color=color, ms=4)
    last = merging.sel(attention="softmax").isel(beta=-1)
    grown = last * np.exp((1 - np.cos(2.0)) * (data.beta - data.beta[-1]))
    ax.semilogy(data.beta, grown, "-", color="0.5", lw=0.9, label=r"$\sim e^{\beta(1-\cos 2)}$")
    ax.axhline(2 * np.log(np.tan(1.0) / np.tan(0.05)), color="k", ls=":", lw=1.1)
    ax.set(xlabel=r"$\beta$", ylabel="time to merge", ylim=(1, 4 * float(merging.max())))
    ax.set_title("metastable or not")
    ax.legend()


def _work(ax: Axes, data: xr.Dataset) -> None:
    at = data.isel(beta=0)
    for kind, color in COLORS.items():
        ax.plot(at.angle, at.work.sel(attention=kind), "-", color=color, lw=1.1)
    ax.plot(at.angle, at.work_full, "--", color="C2", lw=1.1, label="Sinkhorn, no mask")
    law = np.sqrt(0.5) * np.pi / 2 * j1(np.sqrt(0.5))
    ax.plot(at.angle, law * np.cos(at.angle), "k:", lw=1.1)
    ax.axhline(0, color="0.6", lw=0.6)
    ax.set(xlabel="angle", ylabel="work along a circle", ylim=(-0.25, 0.4))
    ax.set_title(rf"no gradient, $\beta = {float(at.beta):g}$")
    ax.legend()
