"""Two limits of a transformer: many tokens, at rate n^(-1/2), and many thin layers, at order one."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield import viz
from meanfield.studies import Depth, MeanFieldLimit

STUDIES = {"tokens": MeanFieldLimit(), "layers": Depth()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Distance to the mean-field limit over the tokens, and to the flow over the step."""
    tokens = results["tokens"].isel(time=-1)
    kinds = tokens.attention.values.tolist()
    fig, axes = plt.subplots(
        1, len(kinds) + 1, figsize=(6.75, 2.7), width_ratios=[1] * len(kinds) + [1.25]
    )
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
    ax.legend(title="fitted power of n", loc="lower left")


def _layers(ax: Axes, layers: xr.Dataset) -> None:
    k = 0
    for mlp in layers.mlp.values.tolist():
        for name in layers.normalization.values.tolist():
            one = layers.sel(normalization=name, mlp=mlp)
            label = f"{name} + MLP" if mlp else name
            viz.convergence(ax, layers.step, one.error, label, order=1 if k == 0 else None, k=k)
            k += 1
    ax.axhline(0.01, color="0.65", linewidth=0.6, linestyle="-", zorder=0)
    ax.set(xlabel="step of a layer", ylabel="relative error", title="many thin layers")
    ax.legend(title="fitted order", loc="lower right")
