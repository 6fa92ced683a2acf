"""Covariances of Gaussian clouds in the cone of positive matrices: three fates (arXiv 2501.18322)."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from meanfield.studies import Covariances

STUDIES = {"paths": Covariances()}
DEMO = {"paths": Covariances(attentions=("softmax",), times=41)}
TITLES = {
    "to zero": "Q invertible, K = −Q, V > 0",
    "to a line": "Q of rank one, K = −Q, V = I",
    "blow-up": r"$A + A^T > 0$, V = I",
}
TOP = {"to zero": 1.6, "to a line": 1.6, "blow-up": 6.0}
"""Half traces up to which the cone is shown."""


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Attentions in columns, matrices in rows; the cone is that of S >= 0, its axis the round ones."""
    paths = results["paths"]
    kinds = [a for a in ("softmax", "L2", "Sinkhorn") if a in paths.attention]
    regimes = [r for r in TITLES if r in paths.regime]
    fig, axes = plt.subplots(
        len(regimes), len(kinds), figsize=(max(2.25 * len(kinds), 4.8), 2.15 * len(regimes) + 0.4),
        subplot_kw={"projection": "3d", "computed_zorder": False}, squeeze=False,
    )  # fmt: skip
    for row, regime in zip(axes, regimes, strict=True):
        for ax, kind in zip(row, kinds, strict=True):
            _cone(ax, TOP[regime])
            one = paths.sel(attention=kind, regime=regime)
            _paths(ax, one, TOP[regime])
            if regime == "blow-up":
                ax.text2D(0.5, 0.02, _fate(one), transform=ax.transAxes, ha="center", fontsize=7)
        row[0].text2D(
            -0.12, 0.5, f"{regime}\n{TITLES[regime]}", transform=row[0].transAxes,
            rotation=90, ha="center", va="center", fontsize=7,
        )  # fmt: skip
    for ax, kind in zip(axes[0], kinds, strict=True):
        ax.set_title(kind)
    fig.legend(*_key(), loc="outside lower center", ncols=2 if len(kinds) > 2 else 1)
    return fig


def _key() -> tuple[list[Line2D], list[str]]:
    """What dots, crosses, arrows, colours and the place in the cone stand for."""
    dot = {"color": "0.4", "linestyle": "none"}
    made = {
        "start; colours: its longer axis, black: round": Line2D([], [], marker="o", ms=3, **dot),
        "end": Line2D([], [], marker="x", ms=4, **(dot | {"color": "black"})),
        "grows out of the picture": Line2D([], [], marker=r"$\nearrow$", ms=7, **dot),
        "height: half the trace; out from the axis: how long and thin": Line2D([], [], ls="none"),
    }
    return list(made.values()), list(made)


def _fate(one: xr.Dataset) -> str:
    """When the covariances blow up, if they do."""
    first, last, end = (float(v) for v in (one.reached.min(), one.reached.max(), one.t.max()))
    if first >= end:
        return f"finite (crosses: at t = {end:.3g})"
    return f"infinite at t = {first:.2f} to {last:.2f}"


def _coordinates(cov: np.ndarray) -> np.ndarray:
    """Half the difference of the variances, the covariance, and half the trace: [3, ...]."""
    first, second = cov[..., 0, 0], cov[..., 1, 1]
    return np.stack([(first - second) / 2, cov[..., 0, 1], (first + second) / 2])


def _cone(ax: Any, top: float) -> None:
    """The boundary of the cone, where S has rank one."""
    turn, height = np.meshgrid(np.linspace(0, 2 * np.pi, 73), np.linspace(0, top, 2))
    ax.plot_surface(
        height * np.cos(turn), height * np.sin(turn), height, color="0.6", alpha=0.13, linewidth=0,
        zorder=0,
    )  # fmt: skip
    edge = np.linspace(0, 2 * np.pi, 121)
    ax.plot(top * np.cos(edge), top * np.sin(edge), top, color="0.7", lw=0.6, ls="-", zorder=1)
    for a in np.arange(8) * np.pi / 4:
        ax.plot(
            [0, top * np.cos(a)],
            [0, top * np.sin(a)],
            [0, top],
            color="0.8",
            lw=0.4,
            ls="-",
            zorder=1,
        )
    ax.set(xlim=(-top, top), ylim=(-top, top), zlim=(0, top))
    ax.set_box_aspect((2, 2, 1.6), zoom=1.4)
    ax.view_init(elev=16, azim=-62)
    ax.set_axis_off()


def _paths(ax: Any, one: xr.Dataset, top: float) -> None:
    shades = hsv_to_rgb([(k / 8, 0.9, 0.75) for k in range(8)])
    for k, cov in enumerate(one["cov"].values):
        x, y, z = _coordinates(cov)
        seen = z <= (
            top if (z <= top).all() else 0.8 * top
        )  # the arrow of one that leaves needs room
        stop = len(z) if seen.all() else int(np.argmin(seen))
        colour = shades[k % 8] if k < 16 else "black"
        ax.plot(x[:stop], y[:stop], z[:stop], color=colour, lw=1.0, ls="-", zorder=3)
        ax.scatter(x[0], y[0], z[0], color=[colour], s=7, linewidths=0, zorder=4)
        if stop > 1 and not seen.all():
            ax.quiver(
                x[stop - 1], y[stop - 1], z[stop - 1], *(c[stop - 1] - c[stop - 2] for c in (x, y, z)),
                length=0.2 * top, normalize=True, color=colour, lw=0.9, arrow_length_ratio=0.5, zorder=4,
            )  # fmt: skip
        elif seen.all():
            ax.scatter(
                x[-1], y[-1], z[-1], color="black", marker="x", s=9, linewidths=0.7, zorder=5
            )
