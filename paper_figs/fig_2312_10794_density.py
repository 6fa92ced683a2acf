"""The density of infinitely many tokens on the circle and on S^2, with noise: a film (arXiv 2312.10794)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.animation import Animation
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from meanfield import viz
from meanfield.studies import DensityFilm

STUDIES = {"film": DensityFilm()}
SHARES = (0.0, 0.2, 0.35, 1.0)
"""Times of the still panels, over the last time."""
COLOURS = {"norm": LogNorm(0.03, 30.0), "cmap": "magma"}
HEIGHTS = {2: 1.3, 3: 1.0}
"""Of the rows, by dimension."""
ROWS = {2: "circle: density as\nheight over the rim", 3: "sphere: density\nas colour"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Four times in columns: rings on the circle above, equal-area maps of the sphere below."""
    film = results["film"]
    heights = [HEIGHTS[d] for d in film.d.values]
    size = (6.75, 1.3 * sum(heights))
    fig, axes = plt.subplots(
        film.d.size, len(SHARES), figsize=size, height_ratios=heights, squeeze=False
    )
    for share, column in zip(SHARES, axes.T, strict=True):
        frame = round(share * (film.sizes["frame"] - 1))
        for ax, d in zip(column, film.d.values, strict=True):
            _picture(ax, film, frame, d)
        column[0].set_title(f"t = {float(film.time[frame]):.3g}")
    for ax, d in zip(axes[:, 0], film.d.values, strict=True):
        ax.text(-0.04, 0.5, ROWS[d], transform=ax.transAxes, rotation=90, ha="right", va="center")
    if 3 in film.d:
        bar = ScalarMappable(**COLOURS)
        bar.set_array(film.sphere.values)
        fig.colorbar(bar, ax=axes[-1], shrink=0.9, label="density", ticks=[0.1, 1, 10],
                     extend=viz.beyond(bar))  # fmt: skip
    return fig


def animate(results: dict[str, xr.Dataset]) -> Animation:
    """Circle and sphere side by side over time: small, and every other frame, for its size in bytes."""
    film = results["film"]
    widths = [1.0 if d == 2 else 1.7 for d in film.d.values]
    fig, axes = plt.subplots(1, len(widths), figsize=(2.8, 1.2), width_ratios=widths)
    axes = np.atleast_1d(axes)

    def update(frame: int) -> None:
        for ax, d in zip(axes, film.d.values, strict=True):
            ax.clear()
            _picture(ax, film, frame, d)
        axes[0].set_title(f"t = {float(film.time[frame]):.1f}")

    return viz.film(fig, update, range(0, film.sizes["frame"], 2), fps=8)


def _picture(ax: Axes, film: xr.Dataset, frame: int, d: int) -> None:
    at = film.isel(frame=frame)
    if d == 3:
        shown = np.maximum(at.sphere.values, COLOURS["norm"].vmin)
        viz.mollweide(ax, at.longitude, at.latitude, shown, **COLOURS)
        return
    # One scale for all times, so that areas compare.
    rho = np.maximum(at.circle.values, 0)
    viz.density_circle(ax, at.angle, rho, height=float(0.9 * rho.max() / film.circle.max()))
    ax.set(xlim=(-1.9, 1.9), ylim=(-1.9, 1.9))
