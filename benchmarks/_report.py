"""The results as a table for people, for the README, and as a figure."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

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


def table(results: Row) -> str:
    """The results in Markdown: one line for each contest and peer."""
    lines = [
        "| case | ours | against | times faster | error: ours, theirs | share of the bound |",
        "|---|---|---|---|---|---|",
    ]
    for case in results["cases"].values():
        lines += ["| " + " | ".join(cells) + " |" for cells in rows(case)]
    on = results["machine"]
    where = f"{on['processor']}, {on['cores']} cores, {on['device']}, jax {on['jax']}"
    return "\n".join([*lines, "", f"Measured on {where}, by `make bench`."])


def rows(case: Row) -> Iterator[list[str]]:
    """The cells of each line of a benchmark."""
    for contest in case["rows"]:
        if "contenders" in contest and "sweep" not in contest:
            yield from _contest(contest)
    for name, contender, sizes, exponent in exponents(case):
        span = f"{sizes[0]:,.0f} to {sizes[-1]:,.0f}"
        yield [f"{name}, {span}", contender, "", "", "", f"exponent {exponent:.2f}"]


def exponents(case: Row) -> Iterator[tuple[str, str, np.ndarray, float]]:
    """The slope of log time over log size of each contender of each sweep."""
    for (name, contender), points in sweeps(case).items():
        sizes, seconds = np.array(sorted(points)).T
        if len(sizes) > 1:
            yield name, contender, sizes, float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def sweeps(case: Row) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """The points (size, median seconds) of each contender of each sweep."""
    out = defaultdict(list)
    for contest in case["rows"]:
        if "sweep" in contest:
            for contender, row in contest["contenders"].items():
                out[contest["contest"], contender].append((contest["sweep"][1], row["median"]))
    return out


def insert(readme: Path, results: Row) -> None:
    """Writes the table between the two markers of a file."""
    text = readme.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(
            f"expected the lines {BEGIN} and {END} in {readme}; add them where it goes."
        )
    before, rest = text.split(BEGIN, 1)
    readme.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{rest.split(END, 1)[1]}")


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


def _contest(contest: Row) -> Iterator[list[str]]:
    (ours, mine), *others = contest["contenders"].items()
    share = f"{contest['bound']['share']:.0%}" if "bound" in contest else ""
    first = f"{ours}: {_seconds(mine)}{_counts(mine)}{_peak(mine)}"
    if not others:
        yield [contest["contest"], first, "", "", _error(mine), share]
    for peer, row in others:
        ratio = row["ratio"]
        shown = f"{ratio['median']:.3g} ({ratio['low']:.3g} to {ratio['high']:.3g})"
        if ratio["rounds"] == 1:
            shown = f"{ratio['median']:.3g}"
        errors = ", ".join(filter(None, (_error(mine), _error(row))))
        theirs = f"{peer}: {_seconds(row)}{_counts(row)}{_peak(row)}"
        yield [contest["contest"], first, theirs, shown, errors, share]


def _seconds(row: Row) -> str:
    seconds = row["median"]
    return f"{seconds:.3g} s" if seconds >= 0.1 else f"{1e3 * seconds:.3g} ms"


def _counts(row: Row) -> str:
    return "".join(f", {value:g} {name}" for name, value in row.get("counts", {}).items())


def _peak(row: Row) -> str:
    peak = row.get("peak_megabytes")
    return "" if peak is None else f", {peak:.0f} MB"


def _error(row: Row) -> str:
    return f"{row['error']:.0e}" if "error" in row else ""
