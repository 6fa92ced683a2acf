"""One free energy on the circle, four ways: particles, density, minimizing movements, reduction."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from meanfield.studies import FourWays
from meanfield.viz import angle_ticks

STUDIES = {"four": FourWays(levels=(0, 1, 2, 3))}
NAMES = {
    "particles": "particles",
    "density": "density, harmonics",
    "volumes": "density, volumes",
    "quantiles": "movements, quantiles",
    "entropic": "movements, entropic",
    "reduction": "reduction",
}
LOOKS = {
    "density": {"color": "C0", "ls": "-", "lw": 1.6},
    "volumes": {"color": "C5", "ls": "--", "lw": 1.0},
    "quantiles": {"color": "C1", "marker": "o", "ms": 3.2, "mfc": "none", "mew": 0.7, "ls": "none"},
    "entropic": {"color": "C2", "marker": "x", "ms": 3.0, "mew": 0.7, "ls": "none"},
    "reduction": {"color": "black", "ls": (0, (1, 2)), "lw": 1.4},
}
MARKS = {"particles": "s", "density": "D", "volumes": "^", "quantiles": "o", "entropic": "X"}
SHADES = {
    "particles": "0.45",
    "density": "C0",
    "volumes": "C5",
    "quantiles": "C1",
    "entropic": "C2",
}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Densities at four times, then the distances between all pairs and how they fall together."""
    result = results["four"]
    ways = [way for way in NAMES if way in result.way.values]
    fig = plt.figure(figsize=(6.75, 4.8))
    top, bottom = fig.subfigures(2, 1, height_ratios=(1.1, 1.15))
    axes = top.subplots(1, result.time.size, sharex=True, sharey=True, squeeze=False)[0]
    for ax, time in zip(axes, result.time.values, strict=True):
        _profiles(ax, result.isel(level=-1).sel(time=time), ways)
        ax.set_title(f"t = {time:g}")
    axes[0].set(ylabel=r"density $\rho$", ylim=(0, 1.05 * float(result.density.max())))
    top.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(ways))
    left, right = bottom.subplots(1, 2, width_ratios=(1, 1.25))
    _table(left, result.isel(level=-1), ways)
    _levels(right, result, ways)
    return fig


def _profiles(ax: Axes, one: xr.Dataset, ways: list[str]) -> None:
    angle = one.angle.values
    for way in ways:
        density = one.density.sel(way=way).values
        if way == "particles":
            ax.fill_between(angle, density, step="mid", color="0.82", lw=0, label=NAMES[way])
            continue
        # Marks on every third arc, and those of the two kinds of movements apart.
        dots = LOOKS[way]["ls"] == "none"
        shift = 1 if way == "quantiles" else 2
        pick = slice(shift, None, 3) if dots else slice(None)
        ax.plot(angle[pick], density[pick], label=NAMES[way], **LOOKS[way])
    ax.set(xlim=(0, 2 * np.pi), xlabel="angle")
    angle_ticks(ax.xaxis)


def _table(ax: Axes, one: xr.Dataset, ways: list[str]) -> None:
    """The distances as a table whose cells darken with them."""
    gaps = one.distance.sel(way=ways, other=ways).values
    below = np.tril(np.ones_like(gaps, bool), -1)
    shown = np.where(below, np.log10(np.maximum(gaps, 1e-12)), np.nan)[1:, :-1]
    ax.imshow(shown, cmap="Blues", vmin=-4.5, vmax=-0.7, aspect="auto")
    for (i, j), value in np.ndenumerate(gaps[1:, :-1]):
        if j <= i:
            dark = np.log10(max(value, 1e-12)) > -2.2
            ax.text(j, i, _brief(value), ha="center", va="center", fontsize=6.5,
                    color="white" if dark else "black")  # fmt: skip
    names = [NAMES[way].replace(", ", ",\n") for way in ways]
    ax.set_yticks(range(len(ways) - 1), names[1:], fontsize=6.5)
    ax.set_xticks(range(len(ways) - 1), names[:-1], fontsize=6.5, rotation=35, ha="right")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(rf"$W_2$ between every two, level {int(one.level)}")


def _brief(value: float) -> str:
    if value >= 1e-3:
        return f"{value:.4f}".lstrip("0")
    digits, power = f"{value:.0e}".split("e")
    return rf"${digits}\!\cdot\!10^{{{int(power)}}}$"


def _levels(ax: Axes, result: xr.Dataset, ways: list[str]) -> None:
    level = result.level.values
    for i, way in enumerate(ways):
        for other in ways[:i]:
            if "reduction" not in (way, other):
                gap = result.distance.sel(way=way, other=other)
                ax.semilogy(level, gap, "-", color="0.85", lw=0.8, zorder=1)
    for way in ways:
        if way != "reduction":
            gap = result.distance.sel(way=way, other="reduction")
            # The spectral method is exact here: it would stand far below the axis.
            label = NAMES[way] + (
                f" ({_brief(float(gap.max()))})" if float(gap.max()) < 1e-4 else ""
            )
            ax.semilogy(level, gap, "-", marker=MARKS[way], color=SHADES[way], ms=4, label=label)
    ax.plot([], [], color="0.85", lw=0.8, label="any other two")
    if level.size > 1:
        guide = 0.45 / 2.0 ** (level - level[0])
        ax.semilogy(level, guide, ":", color="black", lw=0.9)
        ax.annotate("halves a level", (level[-1], guide[-1]), (0, 10), textcoords="offset points",
                    ha="right", fontsize=7)  # fmt: skip
    ax.set(
        xlabel="level of refinement",
        ylabel=r"$W_2$ to the reduction",
        xticks=level,
        ylim=(6e-5, 0.7),
    )
    ax.legend(loc="lower left", ncols=2, fontsize=6)
