"""The results on the screen, between the markers of a README, and as a figure."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from ._tables import brief, rows, table
from ._targets import exponents, sweeps

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"

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

    figure, axes = plt.subplots(1, len(panels), figsize=(3.2 * len(panels), 3), squeeze=False)
    for ax, (name, curves) in zip(axes[0], panels.items(), strict=True):
        for who, points, slope in curves:
            label = who if slope is None else f"{who}: {slope:.2f}"
            ax.loglog(*zip(*points, strict=True), "o-", label=label)
        ax.set(title=name, xlabel=name.rpartition(" ")[2], ylabel="seconds")
        ax.legend(fontsize=7)
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)
