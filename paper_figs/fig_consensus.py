"""Three transformers on S^2 find a consensus: barycenter drift, with and without gates."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from meanfield import viz
from meanfield.studies import BarycenterDrift, ConsensusThreshold

STUDIES = {"drift": BarycenterDrift(), "threshold": ConsensusThreshold()}
FLOOR = 1e-5
"""Of the disagreement that is shown."""
NEAR = 0.1
"""Angle within which tokens are one disc: at the end they are still on their way."""
TAIL = 10
"""Saves that a track goes back."""


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """The models alone and pulled early, over what it costs and when they agree."""
    drift, threshold = results["drift"], results["threshold"]
    fig = plt.figure(figsize=(6.75, 6.0))
    above, below = fig.subfigures(2, 1, height_ratios=[2.25, 1.15])
    last = drift.time.size - 1
    # Where saves are few, fewer columns, and none twice.
    looks = sorted({0, last // 8, last // 3, last})
    rows = above.subplots(2, len(looks), squeeze=False)
    view, n = _view(drift), drift.sizes["token"]
    above.suptitle(
        f"{drift.sizes['model']} models of {n} tokens, d = {drift.sizes['axis']}; tokens nearer than "
        f"{NEAR:g} rad are one disc, a pie of their models"
    )
    for row, (title, one) in zip(rows, _runs(drift).items(), strict=True):
        for ax, i in zip(row, looks, strict=True):
            _clouds(ax, one, i, view)
            ax.set_title(f"t = {drift.time.values[i]:.3g}")
        row[0].text(-1.25, 0, title, rotation=90, va="center", ha="center")
    models = range(drift.sizes["model"])
    names = [f"model {k + 1}" for k in models]
    dots = [
        Line2D([], [], marker="o", linestyle="none", color=f"C{k}", markersize=6) for k in models
    ]
    above.legend(dots, names, loc="outside lower right", ncols=len(names))
    time, cost, gap = below.subplots(1, 3)
    _over_time(time, drift)
    _over_effort(cost, drift)
    _over_strength(gap, threshold)
    viz.mass_key(rows[-1, 0], n * len(names))
    return fig


def animate(results: dict[str, xr.Dataset]) -> FuncAnimation:
    """The models alone, and pulled, side by side."""
    drift = results["drift"]
    fig, axes = plt.subplots(1, 2, figsize=(4.2, 2.3), dpi=110)
    view = _view(drift)
    frames = np.unique((np.linspace(0, 1, 60) ** 1.3 * (drift.time.size - 1)).astype(int)).tolist()

    def update(i: int) -> None:
        for ax, (title, one) in zip(axes, _runs(drift).items(), strict=True):
            ax.clear()
            _clouds(ax, one, i, view)
            ax.set_title(f"{title}, t = {drift.time.values[i]:4.1f}")

    return viz.film(fig, update, frames)


def _runs(drift: xr.Dataset) -> dict[str, xr.Dataset]:
    """The run without a pull, and one that is pulled strongly, early if that was run."""
    gates = drift.gate.values.tolist()
    gate = "early" if "early" in gates else gates[0]
    one = drift.sel(gate=gate)
    return {"alone": one.isel(strength=0), f"pulled {gate}": one.isel(strength=-1)}


def _view(drift: xr.Dataset) -> tuple[float, float]:
    """From where most tokens show at the end of both runs."""
    ends = [one.x.isel(time=-1).values.reshape(-1, 3) for one in _runs(drift).values()]
    return viz.facing(np.concatenate(ends))


def _clouds(ax: Axes, one: xr.Dataset, i: int, view: tuple[float, float]) -> None:
    """The tokens of all models, a colour a model, with their tracks."""
    models, n = one.sizes["model"], one.sizes["token"]
    labels = np.repeat(np.arange(models), n)
    history = one.x.values[max(0, i - TAIL) : i + 1].reshape(-1, models * n, 3)
    if len(history) > 1:
        viz.sphere_tracks(ax, history, labels, view=view)
    viz.sphere_masses(ax, history[-1], labels=labels, view=view, near=NEAR)


def _over_time(ax: Axes, drift: xr.Dataset) -> None:
    """Disagreement over time: darker for stronger pulls."""
    one = drift.isel(gate=0)
    for k, strength in enumerate(one.strength.values):
        shade = plt.get_cmap("viridis")(0.9 - 0.85 * k / max(1, one.strength.size - 1))
        left = one.disagreement.sel(strength=strength)
        left = left.where(left > FLOOR)  # below, it is the tolerance of what measures it
        ax.semilogy(drift.time, left, color=shade, linestyle="-", label=f"{strength:g}")
    ax.set(xlabel="time", ylabel="disagreement", ylim=(FLOOR, 200 * float(one.disagreement.max())))
    gate = drift.gate.values[0]
    title = f"strength of the pull, gate: {gate}"
    ax.legend(ncols=3, handlelength=1, loc="upper center", title=title, title_fontsize=7)


def _over_effort(ax: Axes, drift: xr.Dataset) -> None:
    """What is left at the end against effort, a line a gate."""
    for gate, mark in zip(drift.gate.values.tolist(), "os^D", strict=False):
        one = drift.sel(gate=gate)
        left = one.disagreement.isel(time=-1) / one.disagreement.isel(time=-1, strength=0)
        ax.plot(one.effort, left, marker=mark, label=gate, clip_on=False, zorder=3)
    ax.set(xlabel="effort", ylabel="disagreement left", ylim=(0, None), xlim=(0, None))
    ax.legend(title="pulled", title_fontsize=7)


def _over_strength(ax: Axes, threshold: xr.Dataset) -> None:
    """The gap between two models of opposite minds, with theory."""
    gap = np.linspace(np.pi / 2, np.pi - 1e-3, 200)
    ax.plot(np.sin(gap) / gap, gap, "C0-", label="theory")
    most = 1.1 * max(float(threshold.strength.max()), 1.0)
    ax.plot([2 / np.pi, most], [0, 0], "C0-")
    ax.axvline(2 / np.pi, color="0.8", linewidth=0.6, linestyle="-", zorder=0)
    ax.plot(threshold.strength, threshold.gap.isel(time=-1), "C1o", linestyle="", label="tokens")
    ax.set(xlabel="strength", ylabel="final angle of two models", xlim=(0, most), ylim=(-0.15, 3.3))
    ax.legend()
