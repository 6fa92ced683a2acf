"""The results on the screen, between the markers of a README, and as a figure."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ._front import brief
from ._tables import rows, table
from ._targets import exponents, sweeps

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"

STYLE = Path(__file__).parents[1] / "paper_figs" / "paper.mplstyle"

Row = dict[str, Any]


def show(name: str, case: Row) -> None:
    """Prints one benchmark."""
    print(f"{name}  ({case['seconds']:.0f} s)")
    for cells in rows(case):
        print("  " + " | ".join(cells))
    for contest in case["rows"]:
        for peer, reason in contest["skipped"].items():
            print(f"  {contest['contest']}: {peer} skipped: {reason}")
    print(flush=True)


def insert(readme: Path, text: str) -> None:
    """Writes a text between the two markers of a file."""
    whole = readme.read_text()
    if BEGIN not in whole or END not in whole:
        raise ValueError(
            f"expected the lines {BEGIN} and {END} in {readme}; add them where it goes."
        )
    before, rest = whole.split(BEGIN, 1)
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")


def insert_tables(folder: Path, results: Row) -> None:
    """The short table in README.md of a folder, and all of it in benchmarks/README.md."""
    insert(folder / "README.md", brief(results))
    insert(folder / "benchmarks" / "README.md", table(results))


def save_figure(results: Row, path: Path) -> None:
    """Time over size of every sweep, log-log, with the fitted exponents."""
    panels = defaultdict(list)
    for case in results["cases"].values():
        slopes = {(name, who): slope for name, who, _, slope in exponents(case)}
        for (name, who), points in sweeps(case).items():
            panels[name].append((who, sorted(points), slopes.get((name, who))))
    if not panels:
        return
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    with plt.style.context(STYLE):
        size = (3.2 * len(panels), 3.4)
        figure, axes = plt.subplots(1, len(panels), figsize=size, squeeze=False)
        figure.set_layout_engine("constrained")
        for ax, (name, curves) in zip(axes[0], panels.items(), strict=True):
            _draw(ax, name, curves)
        figure.savefig(path, dpi=120)
        plt.close(figure)


def _draw(ax, name: str, curves: list) -> None:
    """One variable: its curves, and their exponents above."""
    for (who, points, slope), marker in zip(curves, "os^", strict=False):
        label = who if slope is None else f"{who}: exponent {slope:.2f}"
        ax.loglog(*zip(*points, strict=True), marker=marker, label=label)
    sizes = sorted({size for _, points, _ in curves for size, _ in points})
    if sizes[-1] < 1e3:  # so few decades that powers of ten would not do
        ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter("")
    low, high = np.log10(ax.get_ylim())
    what, _, variable = name.rpartition(" over ")
    ax.set(xlabel=variable, ylabel="megabytes" if what == "memory" else "seconds")
    ax.set(ylim=(10 ** np.floor(low), 10 ** np.ceil(high)))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, fontsize=8)
