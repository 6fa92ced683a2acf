"""What the design asks for, held against what was measured.

A contest has `targets`, ratios to contenders, and `limits` of the quantities

    "seconds"                     of the first contender; of the whole, where a fraction was timed
    "peak_megabytes", "error"     of the first contender
    "share_exponentials", "share_flops"      of the rates of this machine
    "<count>: <contender>"        how many times more of a count that contender has than the first
    "exponent: <contender>"       in a sweep, or of the second of two sizes that are timed in turn
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

Row = dict[str, Any]


class Verdict(NamedTuple):
    """A quantity, and the least or the most that it should be."""

    contest: str
    quantity: str
    against: str
    measured: float
    least: float | None
    most: float | None

    @property
    def met(self) -> bool:
        """Whether it is within its limits."""
        low = self.least is None or self.measured >= self.least
        return low and (self.most is None or self.measured <= self.most)

    @property
    def bound(self) -> float:
        """The limit that is missed, or the only one, or the first."""
        if self.least is None or (self.most is not None and self.measured > self.most):
            assert self.most is not None
            return self.most
        return self.least

    def asked(self) -> str:
        """The limits, for people."""
        if self.least is not None and self.most is not None:
            return f"target {self.least:g} to {self.most:g}"
        return f"target {amount(self.quantity, self.bound)}"

    def missed(self) -> str:
        """By how much, in one phrase."""
        off = abs(self.measured / self.bound - 1)
        way = "over" if self.measured > self.bound else "short"
        got = amount(self.quantity, self.measured)
        if self.quantity == "ratio":
            what = f"{got} times faster than {self.against}"
        elif self.quantity in NAMES:
            what = f"{NAMES[self.quantity]}{got}"
        elif self.quantity == "exponent":
            what = f"{self.against}, exponent {got}"
        else:
            what = f"{got} times fewer {self.quantity} than {self.against}"
        return f"{self.contest}: {what} ({self.asked()}; {off:.0%} {way})"


NAMES = {
    "seconds": "",
    "peak_megabytes": "",
    "error": "error ",
    "share_exponentials": "exponentials at a share of ",
    "share_flops": "products at a share of ",
}


def verdicts(contest: Row) -> Iterator[Verdict]:
    """What one contest was asked for, as far as it was measured; exponents are left out."""
    name = contest["contest"]
    for against, least in contest.get("targets", {}).items():
        row = contest["contenders"].get(against)
        if row is not None:
            yield Verdict(name, "ratio", against, row["ratio"]["median"], least, None)
    for key, (least, most) in contest.get("limits", {}).items():
        quantity, _, against = key.partition(": ")
        measured = _measured(contest, quantity, against)
        if measured is not None:
            yield Verdict(name, quantity, against, measured, least, most)


def exponents(case: Row) -> Iterator[tuple[str, str, np.ndarray, float]]:
    """The slope of log time, or of what is swept, over log size of each contender of each sweep."""
    for (name, contender), points in sweeps(case).items():
        sizes, values = np.array(sorted(points)).T
        if len(sizes) > 1:
            yield name, contender, sizes, float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def sweeps(case: Row) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """The points (size, median seconds or a count) of each contender of each sweep."""
    out: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for contest in case["rows"]:
        if "sweep" in contest:
            for contender, row in contest["contenders"].items():
                points = out.setdefault((contest["contest"], contender), [])
                swept = contest.get("swept")
                value = row["counts"][swept] if swept else row["median"]
                points.append((contest["sweep"][1], value))
    return out


def slopes(case: Row) -> Iterator[Verdict]:
    """The exponents of a benchmark that were asked for."""
    limits = {}
    for contest in case["rows"]:
        if "sweep" in contest:
            named = contest.get("limits", {}).items()
            limits |= {(contest["contest"], key): limit for key, limit in named}
    for name, contender, _, slope in exponents(case):
        if limit := limits.get((name, f"exponent: {contender}")):
            yield Verdict(name, "exponent", contender, slope, *limit)


def whole(contest: Row, row: Row) -> float:
    """The seconds of all the work, where a fraction of it was timed."""
    return row["median"] / contest.get("fraction", 1.0)


def amount(quantity: str, value: float) -> str:
    """A value with its unit."""
    if quantity == "seconds":
        return duration(value)
    if quantity == "peak_megabytes":
        return f"{value:.0f} MB"
    if quantity == "error":
        return f"{value:.0e}"
    return f"{value:.0%}" if quantity.startswith("share_") else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Seconds, or milliseconds."""
    return f"{seconds:.3g} s" if seconds >= 0.1 else f"{1e3 * seconds:.3g} ms"


def _measured(contest: Row, quantity: str, against: str) -> float | None:
    """A quantity of the first contender; None where it was not measured."""
    first = next(iter(contest["contenders"].values()))
    if quantity == "seconds":
        return whole(contest, first)
    if quantity.startswith("share_"):
        return contest.get("bound", {}).get(quantity)
    if quantity == "exponent":
        return contest["contenders"].get(against, {}).get("exponent", {}).get("mean")
    if against:
        other = contest["contenders"].get(against, {}).get("counts", {}).get(quantity)
        own = first.get("counts", {}).get(quantity)
        return other / own if other and own else None
    return first.get(quantity)
