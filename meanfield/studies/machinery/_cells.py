import itertools
from collections.abc import Iterable
from typing import Any


def grid(**axes: Iterable) -> list[dict[str, Any]]:
    """The cells of a grid, the last axis fastest: grid(a=(1, 2), b="xy") begins with a = 1, b = "x"."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
