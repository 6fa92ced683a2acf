"""Tokens on the circle at negative temperature: how many clouds meet, and who ends in three clusters."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import NegativeBeta

STUDIES = {"clouds": NegativeBeta()}
SAFE, TRIANGLE = -0.16, -2 / 3


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: the share of clouds that meet over beta; right: how a pair attracts, by angle."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.75, 2.5))
    _shares(left, results["clouds"])
    _pairs(right, results["clouds"].beta.values)
    return fig


def _shares(ax: Axes, result: xr.Dataset) -> None:
    beta = result.beta.values
    bars = np.maximum(np.abs(np.stack([result.met - result.low, result.high - result.met])), 0)
    ax.errorbar(beta, result.met, bars, fmt="o-", color="C0", capsize=2, label="meet")
    ax.plot(beta, result.triangle, "s--", color="C1", label="three clusters")
    ax.axvline(SAFE, color="0.3", ls="-", lw=0.8)
    ax.axvline(TRIANGLE, color="0.3", ls=":", lw=0.8)
    ax.annotate("all meet from -.16", (SAFE, 0.5), (-3, 0), textcoords="offset points",
                rotation=90, ha="right", va="center", fontsize=6)  # fmt: skip
    ax.annotate("three are stable below -2/3", (TRIANGLE, 0.5), (-3, 0), rotation=90,
                textcoords="offset points", ha="right", va="center", fontsize=6)  # fmt: skip
    ax.set(xlabel=r"$\beta$", ylabel="share of clouds", ylim=(-0.04, 1.3))
    ax.set_title("where tokens end, from uniform starts")
    ax.set_yticks([0, 0.5, 1])
    ax.margins(x=0.06)
    ax.legend(loc="upper left", ncols=2)


def _pairs(ax: Axes, betas: np.ndarray) -> None:
    angle = np.linspace(0, np.pi, 181)
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.9, betas.size))
    for shade, beta in zip(shades, betas, strict=True):
        pull = np.exp(beta * (np.cos(angle) - 1 if beta > 0 else np.cos(angle) + 1)) * np.sin(angle)
        ax.plot(np.degrees(angle), pull, "-", color=shade, label=f"{beta:g}")
    ax.axvline(120, color="0.3", ls=":", lw=0.8)
    ax.set(xlabel="angle between two tokens [degrees]", ylabel="attraction over its largest kernel")
    ax.set(xticks=[0, 60, 120, 180], ylim=(0, 1.2))
    ax.set_title("below -2/3 it still rises at 120 degrees")
    ax.legend(title=r"$\beta$", ncols=3, loc="upper left", fontsize=6, title_fontsize=6)
