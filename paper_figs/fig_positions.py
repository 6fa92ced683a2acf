"""Tokens in order: rings that unwind, windows that are too long, and what the last token remembers."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import Influence, TwistedRings

STUDIES = {"rings": TwistedRings(), "influence": Influence()}
THRESHOLD = 0.6809228


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Above: heights of a twisted ring, and growth over the window; below: influence by depth."""
    rings, influence = results["rings"], results["influence"]
    fig = plt.figure(figsize=(6.75, 4.6))
    above, below = fig.subfigures(2, 1, height_ratios=(1.0, 1.0))
    left, right = above.subplots(1, 2)
    _unwinding(left, rings)
    _stability(right, rings)
    axes = below.subplots(1, influence.mask.size, sharey=True, squeeze=False)[0]
    order = [name for name in ("causal", "ALiBi", "window") if name in influence.mask.values]
    for ax, name in zip(axes, order, strict=True):
        _influence(ax, influence.sel(mask=name), name)
    axes[0].set(ylabel="influence on the last token")
    axes[0].legend(title="depth", loc="upper center", fontsize=6, title_fontsize=6, ncols=2)
    return fig


def _unwinding(ax: Axes, rings: xr.Dataset) -> None:
    for k, beta in enumerate(rings.beta.values):
        at = rings.sel(beta=beta)
        ax.plot(at.time, at.height, "-", color=f"C{k}", label=rf"$\beta={beta:g}$")
        ax.plot(at.time[::4], at.tokens[::4], "o", color=f"C{k}", markersize=3.5)
    ax.plot([], [], "ko", markersize=3.5, label="40 tokens")
    ax.set(xlabel="time", ylabel="height over the equator", ylim=(0, None))
    ax.set_title("on the sphere a twisted ring unwinds")
    ax.legend()


def _stability(ax: Axes, rings: xr.Dataset) -> None:
    at = rings.sel(beta=0.0) if 0.0 in rings.beta.values else rings.isel(beta=0)
    for k, winding in enumerate(at.winding.values):
        turns = f"{winding} turn{'s' if winding > 1 else ''}"
        ax.plot(at.width, at.growth.sel(winding=winding), ".-", color=f"C{k + 2}", label=turns)
        ax.axvline(THRESHOLD / winding, color=f"C{k + 2}", ls=":", lw=0.9)
    ax.axhline(0, color="0.6", lw=0.6)
    ax.set(xlabel="width of the window over the ring", ylabel="largest growth rate")
    ax.set_title("on the circle short windows keep the twist")
    ax.legend(title="dotted: theory", title_fontsize=7)


def _influence(ax: Axes, at: xr.Dataset, name: str) -> None:
    depths = at.depth.values[at.depth.values > 0]
    for t, shade in zip(
        depths, plt.get_cmap("viridis")(np.linspace(0, 0.9, depths.size)), strict=True
    ):
        ax.semilogy(at.position, at.influence.sel(depth=t), color=shade, lw=1.1, label=f"{t:g}")
    ax.set(xlabel="position of a token", ylim=(1e-4, 1.5), xlim=(0, int(at.position[-1]) + 1))
    ax.set_title({"window": "sliding window"}.get(name, name))
