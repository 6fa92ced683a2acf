"""Small transformers of the next character: causal Sinkhorn attention learns to read what comes behind."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import CausalCharacters

STUDIES = {"text": CausalCharacters()}
NAMES = {"all": "all places", "last": "the last place"}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: loss by place; middle: loss with and without what is behind; right: the first column."""
    result = results["text"]
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(6.75, 2.7))
    _by_place(left, result)
    _told(middle, result)
    _first(right, result)
    return fig


def _rows(result: xr.Dataset):
    for k, attention in enumerate(result.attention.values):
        for j, trained in enumerate(result.trained.values):
            style = {"color": f"C{k}", "ls": ("-", "--")[j % 2]}
            label = f"{attention}, {NAMES[str(trained)]}"
            yield result.sel(attention=attention, trained=trained), style, label


def _by_place(ax: Axes, result: xr.Dataset) -> None:
    for at, style, label in _rows(result):
        ax.plot(at.place, at.whole.mean("start"), label=label, **style)
    ax.axhline(float(result.unigram.mean()), color="0.5", ls=":", lw=0.9, label="frequencies")
    ax.set_title("told in whole windows")
    top = float(result.whole.mean("start").max())
    ax.set(xlabel="characters before", ylabel="loss [nats]", ylim=(0, 1.75 * top))
    ax.legend(fontsize=5.5, title="attention, trained on", title_fontsize=5.5, loc="upper right")


def _told(ax: Axes, result: xr.Dataset) -> None:
    at = result.sel(trained=result.trained[0])
    seen = [f"{k}" for k in at.seen.values]
    places = np.arange(len(seen))
    for k, attention in enumerate(at.attention.values):
        for j, (name, label) in enumerate((("window", "whole window"), ("prefix", "prefix alone"))):
            values = at[name].sel(attention=attention)
            height, spread = values.mean("start"), values.max("start") - values.min("start")
            ax.bar(
                places + 0.2 * (2 * k + j) - 0.3, height, 0.2, yerr=spread / 2,
                color=f"C{k}", alpha=(0.5, 1.0)[j], error_kw={"lw": 0.7},
                label=f"{attention}, {label}",
            )  # fmt: skip
    ax.axhline(float(result.unigram.mean()), color="0.5", ls=":", lw=0.9)
    ax.set_xticks(places, seen)
    ax.set(xlabel="characters before", ylabel="loss at one place [nats]")
    ax.set_ylim(0, 1.7 * float(at.prefix.max()))
    ax.set_title(f"trained on {NAMES[str(at.trained.values)]}")
    ax.legend(fontsize=5.5, loc="upper right")


def _first(ax: Axes, result: xr.Dataset) -> None:
    n = int(result.seen[-1])
    for at, style, _ in _rows(result):
        ax.plot(at.layer + 1, at["first"].mean("start"), marker="o", **style)
    most = float((1 / np.arange(1, n + 1)).sum())
    ax.axhline(most, color="0.5", ls=":", lw=0.9, label=rf"$H_{{{n}}}$")
    ax.set(xlabel="layer", ylabel="attention that the first draws", ylim=(0, 1.2 * most))
    ax.set_title("columns of the first token")
    ax.set_xticks(result.layer.values + 1)
    ax.legend(loc="lower left")
