"""Energies of matrices on the sphere: where clouds ascend and descend, D definite, indefinite, negative."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import InteractionMatrices
from meanfield.viz import sphere_map, sphere_masses

STUDIES = {"matrices": InteractionMatrices()}
VIEW = (35, 25)
"""Longitude and latitude, in degrees, from where all three eigenvectors are seen."""


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Above: the highest of the ascended clouds over the energy; below: the lowest of the descended ones."""
    result = results["matrices"]
    kinds = result.matrix.values
    fig, axes = plt.subplots(2, kinds.size, figsize=(6.75, 4.2), squeeze=False)
    for k, kind in enumerate(kinds):
        at = result.sel(matrix=kind)
        paired = float(at["values"][0]) < 0
        _globe(axes[0, k], at, at.highest.values, paired)
        _globe(axes[1, k], at, at.lowest.values, False)
        numbers = ", ".join(f"{value:g}" for value in at["values"].values)
        axes[0, k].set_title(f"{kind}: {numbers}\nascended: energy {float(at.up.max()):.3f}")
        axes[1, k].set_title(f"descended: energy {float(at.down.min()):.4f}")
    return fig


def _globe(ax: Axes, at: xr.Dataset, cloud: np.ndarray, paired: bool) -> None:
    beta = float(at.beta)

    def energy(points: np.ndarray) -> np.ndarray:
        within = beta * (points**2 @ at["values"].values)
        return (np.cosh(within) if paired else np.exp(within)) / (2 * beta)

    label = "energy of x and -x" if paired else "energy of a point x"
    sphere_map(ax, energy, view=VIEW, label=label, cmap="viridis")
    sphere_masses(ax, cloud, view=VIEW, full=0.2)
