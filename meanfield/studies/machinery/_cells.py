import itertools
from collections.abc import Iterable
from typing import Any

from ...io import digest


def grid(**axes: Iterable) -> list[dict[str, Any]]:
    """The cells of a grid, the last axis fastest: grid(a=(1, 2), b="xy") begins with a = 1, b = "x"."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def distinct(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells; ValueError where two are one, or there is none."""
    if not cells or len({digest(cell) for cell in cells}) < len(cells):
        raise ValueError(
            f"expected distinct cells, at least one, got {len(cells)} with repetitions or none; "
            "give each its own values and leave no sweep empty."
        )
    return cells
