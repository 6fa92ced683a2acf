from jaxtyping import Array, Bool

from ..._typing import Scalar

SLACK = 1e-3
"""How far beyond its range the error of a run may carry a number that tends to its end."""


def within(low: float, state: Scalar, name: str) -> dict[str, Bool[Array, ""]]:
    """That `low` <= state <= 1, up to errors of a run, as a requirement; NaN is told elsewhere."""
    inside = ~((state < low - SLACK) | (state > 1 + SLACK))
    return {f"{name} is not in [{low:.3g}, 1]; start within it": inside}
