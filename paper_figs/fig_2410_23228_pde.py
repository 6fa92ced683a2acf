"""The density from uniform plus noise, without and with numerical diffusion (arXiv 2410.23228)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import DensityClusters

STUDIES = {"density": DensityClusters()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """One row a temperature: the equation itself, and with the diffusion of the published scheme."""
    result = results["density"]
    rows, columns = result.beta.size, result.noise.size
    fig, axes = plt.subplots(
        rows, columns, figsize=(3.375 * columns, 2.1 * rows), sharex=True, squeeze=False
    )
    for line, beta in zip(axes, result.beta.values, strict=True):
        for ax, noise in zip(line, result.noise.values, strict=True):
            _profiles(ax, result.sel(beta=beta, noise=noise))
            ax.set_ylabel("density")
    fig.supxlabel(_ripples(result), fontsize=7)
    for ax in axes[-1]:
        ax.set(xlabel="angle", xlim=(0, 2 * np.pi), xticks=np.arange(5) * np.pi / 2)
        ax.set_xticklabels(["0", "π/2", "π", "3π/2", "2π"])
    return fig


def _ripples(result: xr.Dataset) -> str:
    """What the wiggles are."""
    return (
        f"Ripples are no feature of the law: a series of degree {result.degree}\n"
        "has them (Gibbs) where clusters grow too narrow for it."
    )


def _profiles(ax: Axes, one: xr.Dataset) -> None:
    """The last resolved density, and five before it, from when it first stands out."""
    last = int(one.resolved.sum()) - 1
    height = one.density.max("angle")
    first = int(np.argmax((height > 1.3).values))
    saves = np.unique(np.linspace(first, last, 5).round().astype(int))
    shades = plt.get_cmap("viridis")(np.linspace(0.85, 0, saves.size))
    for shade, save in zip(shades, saves, strict=True):
        label = f"t = {float(one.time[save]):.3g}"
        ax.plot(one.angle, one.density[save], "-", color=shade, lw=1, label=label)
    what = "no noise" if not float(one.noise) else f"diffusion {float(one.noise):g}, as published"
    ax.set(title=rf"$\beta={float(one.beta):g}$, {what}", ylim=(0, None))
    ax.legend(loc="best")
