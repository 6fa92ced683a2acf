"""Cosine similarity for six normalizations: slopes, tails, random transformers (arXiv 2510.22026).

Accurate: the flow, integrated to a tolerance of 1e-9. As published: layers of step 1, random weights.
"""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from meanfield.studies import Normalization, RandomTransformer
from meanfield.viz import band

STUDIES = {"flow": Normalization(), "random": RandomTransformer()}
NAMES = ("Post", "Pre", "Peri", "nGPT", "Sqrt", "Mix")
TAILS = {
    "Post": r"$e^{-2t}$", "nGPT": r"$e^{-2\alpha t}$", "Sqrt": r"$e^{-4\sqrt{t}}$",
    "Pre": "$t^{-2}$", "Peri": "$t^{-2}$", "Mix": "$t^{-2}$",
}  # fmt: skip
KINDS = {"exponential": ("Post", "nGPT", "Sqrt"), "algebraic": ("Pre", "Peri", "Mix")}
"""Of tails."""
THEORY: dict = {"color": "black", "linestyle": (0, (1, 2)), "linewidth": 0.9, "zorder": 3}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """The flow early, its two kinds of tails, and layers with random weights."""
    flow, random = results["flow"], results["random"]
    tails = [(kind, _kept(flow, names)) for kind, names in KINDS.items()]
    tails = [(kind, names) for kind, names in tails if names]
    fig = plt.figure(figsize=(6.75, 4.8))
    above, below = fig.subfigures(2, 1)
    early, depth = above.subplots(1, 2)
    _early(early, flow)
    _depth(depth, random)
    for ax, (kind, names) in zip(
        below.subplots(1, len(tails), squeeze=False)[0], tails, strict=True
    ):
        _tails(ax, flow, names)
        ax.set_title(f"accurate: {kind} tails of the flow")
        if kind == "algebraic":
            ax.set(xscale="log", xlim=(1, None))
    return fig


def _kept(result: xr.Dataset, names: tuple[str, ...]) -> list[str]:
    """Those of the names that were run."""
    return [name for name in names if name in result.normalization.values]


def _colour(name: str) -> str:
    return f"C{NAMES.index(name)}"


def _early(ax: Axes, result: xr.Dataset) -> None:
    for name in _kept(result, NAMES):
        at = result.sel(normalization=name)
        time = np.array([0, 0.25 / float(at.slope)])  # where the slope still is one
        ax.plot(at.time, 1 - at.gap, color=_colour(name), linestyle="-", label=name)
        ax.plot(time, float(at.slope) * time, **THEORY)
    ax.set(xlim=(0, 12), ylim=(0, 1), xlabel="time", ylabel="cosine similarity")
    ax.set_title("accurate: the flow from orthonormal tokens")
    handles, labels = ax.get_legend_handles_labels()
    labels.append("theory")
    ax.legend([*handles, Line2D([], [], **THEORY)], labels, loc="lower right", ncols=2)


def _tails(ax: Axes, result: xr.Dataset, names: list[str]) -> None:
    for name in names:
        at = result.sel(normalization=name)
        late = at.where(at.gap < 0.3, drop=True)
        label = f"{name}: {TAILS[name]}"
        ax.semilogy(at.time, at.gap, color=_colour(name), linestyle="-", label=label)
        ax.semilogy(late.time, late.theory, **THEORY)
    ax.set(
        xlabel="time", ylabel="1 \N{MINUS SIGN} cosine similarity", xlim=(0, None), ylim=(1e-8, 1.5)
    )
    ax.plot([], [], **THEORY, label="theory")
    ax.legend(loc="upper right")


def _depth(ax: Axes, result: xr.Dataset) -> None:
    similarity = 1 - result.gap
    low, middle, high = (similarity.quantile(q, "draw") for q in (0.05, 0.5, 0.95))
    for name in NAMES:
        lines = (v.sel(normalization=name) for v in (middle, low, high))
        band(ax, result.layer, *lines, label=name, color=_colour(name), linestyle="-")
    ax.set(xlabel="layer", ylabel="cosine similarity", ylim=(0, 1), xlim=(0, result.layer[-1]))
    ax.set_title(f"as published: random layers, 90 % of {result.draw.size} draws")
    ax.legend(loc="lower right", ncols=2)
