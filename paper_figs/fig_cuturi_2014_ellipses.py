"""The Wasserstein barycenter of 30 nested ellipses, with and without debiasing (Cuturi and Doucet 2014)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import NestedEllipses

STUDIES = {"ellipses": NestedEllipses()}
COLUMNS = 10


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """The ellipses above; below their mean, the entropic barycenter and the debiased one."""
    result = results["ellipses"]
    columns = min(COLUMNS, result.image.size)
    rows = -(-result.image.size // columns)
    side = 6.75 / columns  # of a small picture
    fig = plt.figure(figsize=(6.75, side * rows + 2.4))
    above, below = fig.subfigures(2, 1, height_ratios=[side * rows, 2.4])
    above.suptitle(f"{result.image.size} images", fontsize=8)
    small = above.subplots(rows, columns, squeeze=False)
    for ax in small.flat[result.image.size :]:
        ax.remove()
    for ax, one in zip(small.flat, result.ellipses, strict=False):
        _image(ax, one)
    names = {
        "mean": "mean of the images",
        "entropic": "entropic barycenter",
        "debiased": "debiased barycenter",
    }
    for ax, (name, title) in zip(below.subplots(1, 3), names.items(), strict=True):
        _image(ax, result[name])
        ax.set_title(title)
    return fig


def _image(ax: Axes, density: xr.DataArray) -> None:
    ink = density.transpose("y", "x").values
    ax.imshow(
        ink,
        cmap="Greys",
        origin="lower",
        vmin=0,
        vmax=np.quantile(ink, 0.998),
        interpolation="bilinear",
    )
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.4)
        spine.set_color("0.7")
    ax.set_axis_on()
