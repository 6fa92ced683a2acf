"""Noisy attention clusters continuously or by a jump: bifurcation diagrams (2606.05140, 2604.16288)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import PhaseTransition

STUDIES = {
    "$S^1$": PhaseTransition(),
    "$S^2$": PhaseTransition(d=3, beta=(1.6, 3.7), n=0),
    "$S^7$": PhaseTransition(d=8, beta=(1.1, 2.6), n=0),
}
SWEEPS = {"heating": ("^", "C1"), "cooling": ("v", "C2")}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Above the circle, with tokens; below, where they were computed, spheres of higher dimension."""
    rows = [[(name, r.sel(beta=b)) for b in r.beta.values] for name, r in results.items()]
    rows = [row for row in (rows[0], [panel for row in rows[1:] for panel in row]) if row]
    fig = plt.figure(figsize=(6.75, 2.35 * len(rows) + 0.4))
    for strip, row in zip(fig.subfigures(len(rows), squeeze=False)[:, 0], rows, strict=True):
        axes = np.atleast_1d(strip.subplots(1, len(row), sharey=True))
        for ax, (name, at) in zip(axes, row, strict=True):
            _panel(ax, at)
            ax.set_title(
                f"{name},  β = {float(at.beta):g} = {float(at.beta / at.tricritical):.2f} β*"
            )
            ax.set_xlabel(r"noise $\nu / \nu_c$")
        axes[0].set(ylabel="mean resultant", ylim=(-0.03, 1.0))
    known = {}
    for ax in fig.axes:
        known |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    fig.legend(known.values(), known, loc="outside lower center", ncols=3)
    return fig


def _panel(ax: Axes, at: xr.Dataset) -> None:
    """Stationary states, stable (full) or not (dashed); the density's sweeps; the tokens'."""
    at = at.dropna("point", subset=["branch_share"])
    share, order = at.branch_share.values, at.branch_order.values
    stable = at.branch_unstable.values == 0
    fold = int(np.nanargmax(share))
    shares = [at.share.values, at.token_share.values] if "tokens" in at else [at.share.values]
    shares = np.concatenate(shares)
    right = max(1.13 + 1.5 * (share[fold] - 1), float(np.nanmax(shares)) + 0.03)
    left = float(np.nanmin(shares)) - 0.03
    line = {"color": "C0", "linewidth": 1.3, "zorder": 2}
    ax.plot([1, right], [0, 0], "-", label="stationary, stable", **line)
    ax.plot([left, 1], [0, 0], linestyle=(0, (3, 1.5)), label="unstable", **line)
    ax.plot(share[fold:], order[fold:], "-", **line)
    if not stable[1]:
        ax.plot(share[: fold + 1], order[: fold + 1], linestyle=(0, (3, 1.5)), **line)
        crossing = float(at.crossing / at.critical)
        dotted = {"color": "0.4", "linewidth": 1, "zorder": 1, "label": "free energies cross"}
        ax.plot([crossing] * 2, [0, float(at.jump)], ":", **dotted)
    for direction, (marker, colour) in SWEEPS.items():
        _sweep(ax, at.sel(direction=direction), marker, colour, direction)
    ax.set_xlim(left, right)


def _sweep(ax: Axes, at: xr.Dataset, marker: str, colour: str, name: str) -> None:
    hollow = {"color": colour, "marker": marker, "markerfacecolor": "none", "linestyle": "none"}
    ax.plot(
        at.share, at.order, markersize=4, markeredgewidth=0.8, label=f"density, {name}", **hollow
    )
    if "tokens" in at:
        values = at.token_share.values, at.tokens.values, 2 * at.tokens_error.values
        solid = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 4.5}
        bars = {"capsize": 1.5, "elinewidth": 0.8, "zorder": 4}
        ax.errorbar(*values, label=f"tokens, {name}", **solid, **bars)
