"""Two limits of a transformer: many tokens, at rate n^(-1/2), and many thin layers, at order one."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from meanfield import viz
from meanfield.studies import Depth, MeanFieldLimit

STUDIES = {"tokens": MeanFieldLimit(), "layers": Depth()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Distance to the mean-field limit over the tokens, and to the flow over the step."""
    tokens = results["tokens"].isel(time=-1)
    kinds = tokens.attention.values.tolist()
    fig, axes = plt.subplots(1, len(kinds) + 1, figsize=(6.75, 3.4))
    for ax, kind in zip(axes, kinds, strict=False):
        _tokens(ax, tokens.sel(attention=kind))
        ax.set_title(f"many tokens, {kind}")
    _layers(axes[-1], results["layers"])
    for letter, ax in zip("abc", axes, strict=False):
        ax.set_title(letter, loc="left", fontweight="bold")
    return fig


def _tokens(ax: Axes, one: xr.Dataset) -> None:
    for k, d in enumerate(one.d.values.tolist()):
        curve = one.sel(d=d)
        order = -0.5 if k == 0 else None
        viz.convergence(ax, one.n, curve.distance, f"d = {d}", order=order, k=k)
        ax.errorbar(one.n, curve.distance, curve.distance_error, fmt="none", ecolor=f"C{k}", lw=0.8)
    ax.set(xlabel="tokens n", ylabel="distance to the limit")
    ax.margins(y=0.1)
    _ticks(ax.xaxis, {n: f"{n}" for n in one.n.values.tolist()})
    _ticks(ax.yaxis, {y: f"{y}" for y in (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)})
    _legend_below(ax, "fitted power of n")


def _layers(ax: Axes, layers: xr.Dataset) -> None:
    cases = [
        (n, m) for m in layers.mlp.values.tolist() for n in layers.normalization.values.tolist()
    ]
    for k, (name, mlp) in enumerate(cases):
        error = layers.error.sel(normalization=name, mlp=mlp)
        label = f"{name} + MLP" if mlp else name
        viz.convergence(ax, layers.step, error, label, order=1 if k == 0 else None, k=k)
    ax.axhline(0.01, color="0.65", linewidth=0.6, linestyle="-", zorder=0)
    ax.set(xlabel="step of a layer", ylabel="relative error", title="many thin layers")
    ax.margins(y=0.1)
    _ticks(ax.xaxis, {h: f"1/{1 / h:g}" for h in layers.step.values.tolist()})
    _ticks(ax.yaxis, {y: f"{y}" for y in (0.001, 0.003, 0.01, 0.03)})
    _legend_below(ax, "fitted order")


def _ticks(axis: Axis, labels: dict[float, str]) -> None:
    """These ticks alone, and the limits as they are."""
    limits = axis.get_view_interval()
    labels = {at: text for at, text in labels.items() if limits[0] <= at <= limits[1]}
    axis.set_ticks(list(labels), labels=list(labels.values()))
    axis.set_ticks([], minor=True)
    axis.axes.set(**{f"{axis.axis_name}lim": limits})


def _legend_below(ax: Axes, title: str) -> None:
    """The legend, which would cover the lines, below the labels."""
    ax.legend(title=title, title_fontsize=7, loc="upper center", bbox_to_anchor=(0.45, -0.2))
