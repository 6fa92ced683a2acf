"""Wasserstein barycenters on S^2: from a ring to two clusters, and along meridians."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from meanfield import viz
from meanfield.studies import SphereBarycenters

STUDIES = {"barycenters": SphereBarycenters()}
VIEW = (15.0, 35.0)
"""Longitude and latitude from which both shapes show."""
TITLES = {"shapes": "two clusters", "zonal": "a cluster at the pole"}
"""The second laws; the first is a ring."""


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """A row a pair of laws; the weight of the second one grows to the right."""
    result = results["barycenters"]
    weights = result.weight.values
    fig, rows = plt.subplots(2, len(weights), figsize=(6.75, 2.9))
    for k, (name, row) in enumerate(zip(TITLES, rows, strict=True)):
        for ax, weight in zip(row, weights, strict=True):
            points = result[name].sel(weight=weight).values
            ends = weight in (0, 1)
            labels = [2 if ends else k] * len(points)
            viz.sphere_masses(ax, points, labels=labels, view=VIEW)
            ax.set_title(_title(name, weight, ends))
    return fig


def _title(name: str, weight: float, ends: bool) -> str:
    """The law at an end, or what share of the second law there is."""
    if ends:
        return TITLES[name] if weight else "a ring"
    return f"weight {weight:g}"
