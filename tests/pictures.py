"""What a picture must be: labelled, not empty, true to its data, nothing cut off without a word."""

import re
from collections.abc import Iterator

import matplotlib.colors as mcolors
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

NUMBER = r"\s*=\s*\$?\s*(-?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?)"
NAMES = {
    "beta": rf"(?:β|\\beta){NUMBER}",
    "d": rf"(?<![a-z])d{NUMBER}",
    "time": rf"(?<![a-z])t{NUMBER}",
}


def faults(figure: Figure, results: dict[str, xr.Dataset]) -> list[str]:
    """What is wrong with a figure that was drawn from these results."""
    figure.draw_without_rendering()
    bars = [ax for ax in figure.axes if _bar_of(ax) is not None]
    panels = [ax for ax in figure.axes if ax not in bars]
    found = [fault for ax in panels for fault in (*_empty(ax), *_labels(ax), *_cut_off(ax))]
    found += [f"a colour bar without a name: {ax}" for ax in bars if not _named(ax)]
    found += _legends(figure, panels)
    found += _beyond_the_page(figure)
    found += _scales(panels, [bar for ax in bars if (bar := _bar_of(ax))])
    return [*found, *_titles(figure, results)]


def _bar_of(ax: Axes) -> Colorbar | None:
    return getattr(ax, "_colorbar", None)


def _named(ax: Axes) -> bool:
    return bool(ax.get_xlabel() or ax.get_ylabel())


def _empty(ax: Axes) -> Iterator[str]:
    if not (ax.lines or ax.collections or ax.patches or ax.images):
        yield f"an empty panel: {ax}"


def _labels(ax: Axes) -> Iterator[str]:
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)) if ax.axison else ():
        if not axis.get_label_text() and _numbers(axis):
            yield f"no label at {name} of {ax.get_title()!r} {ax}"


def _numbers(axis: Axis) -> bool:
    """Whether numbers stand at the ticks that are seen; names need no label."""
    texts = [t.get_text() for t in axis.get_ticklabels() if t.get_visible() and t.get_text()]
    return any(re.fullmatch(r"[-−\d.πe/^{}$\\a-z]*\d[^ ]*|0", text) for text in texts)


def _cut_off(ax: Axes) -> Iterator[str]:
    """Markers that the frame cuts, or that are beyond it."""
    if not ax.axison or ax.name == "3d":
        return
    frame = ax.get_window_extent()
    points = ax.figure.get_figure(root=True).dpi / 72
    for line in ax.lines:
        if line.get_marker() in ("None", "", None) or not line.get_clip_on():
            continue
        places = line.get_transform().transform(np.asarray(line.get_xydata(), float))
        places = places[np.isfinite(places).all(axis=1)]
        reach = 0.3 * line.get_markersize() * points  # a rim of a hair's width may be lost
        low, high = frame.min + reach, frame.max - reach
        if ((places < low) | (places > high)).any():
            yield f"markers cut off: {line.get_label()!r} in {ax.get_title()!r} {ax}"


def _legends(figure: Figure, panels: list[Axes]) -> Iterator[str]:
    legends = [legend for legend in figure.findobj(Legend) if legend.get_visible()]
    shown = {text.get_text() for legend in legends for text in legend.get_texts()}
    for ax in panels:
        for label in ax.get_legend_handles_labels()[1]:
            if label not in shown and not label.startswith("cluster "):
                yield f"{label!r} stands in no legend: {ax.get_title()!r} {ax}"
    for legend in legends:
        for text in legend.get_texts():
            if np.mean(mcolors.to_rgb(text.get_color())) > 0.6:
                yield f"a pale legend: {text.get_text()!r}"


def _beyond_the_page(figure: Figure) -> Iterator[str]:
    """Words that run off the figure, by more than a pixel or two."""
    width, height = figure.bbox.size
    ticks = {*map(id, _ticks(figure))}
    for text in figure.findobj(Text):
        if not text.get_visible() or not text.get_text().strip() or id(text) in ticks:
            continue
        box = text.get_window_extent()
        if box.x0 < -3 or box.y0 < -3 or box.x1 > width + 3 or box.y1 > height + 3:
            yield f"words beyond the page: {text.get_text()!r}"


def _ticks(figure: Figure) -> Iterator[Text]:
    """Labels of ticks, of which those out of view are there too."""
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis, *([ax.zaxis] if ax.name == "3d" else [])):
            yield from axis.get_ticklabels(which="both")
            yield axis.offsetText


def _scales(panels: list[Axes], bars: list[Colorbar]) -> Iterator[str]:
    """Values beyond a colour scale whose bar does not say so."""
    for ax in panels:
        for mappable in (*ax.collections, *ax.images):
            if not isinstance(mappable, ScalarMappable) or mappable.get_array() is None:
                continue
            values = np.ma.masked_invalid(np.ma.asarray(mappable.get_array())).compressed()
            low, high = mappable.get_clim()
            own = [b for b in bars if b.mappable is mappable or (b.vmin, b.vmax) == (low, high)]
            marks = own[0].extend if own else "neither"
            slack = 1e-9 * (high - low)
            if own and values.min() < low - slack and marks not in ("min", "both"):
                yield f"colours below the scale: {ax.get_title()!r} {values.min()} < {low}"
            if own and values.max() > high + slack and marks not in ("max", "both"):
                yield f"colours above the scale: {ax.get_title()!r} {values.max()} > {high}"


def _titles(figure: Figure, results: dict[str, xr.Dataset]) -> Iterator[str]:
    """Numbers in titles that are not those of the data."""
    for ax in figure.axes:
        title = ax.get_title()
        for name, pattern in NAMES.items():
            for text in re.findall(pattern, title):
                number = float(text.replace(",", ""))
                known = [value for result in results.values() for value in values_of(result, name)]
                if not np.isclose(known, number, rtol=6e-3, atol=1e-12).any():
                    yield f"{title!r}: {name} is {number}, the data have {known[:6]}"


def values_of(result: xr.Dataset, name: str) -> list[float]:
    """The values of a parameter in a result: its coordinate, variable or attribute."""
    names = (name, "t") if name == "time" else (name,)
    found = [np.ravel(result[key].values) for key in names if key in result]
    found += [np.ravel(result.attrs[key]) for key in names if key in result.attrs]
    return [float(value) for values in found for value in values]
