import abc
from typing import Any

from jaxtyping import Array, Float

from ..._checks import check_finite
from ..._door import AbstractChecked

Controls = Float[Array, "players ..."]


class AbstractGame(AbstractChecked):
    """Several players with a cost each, which all controls decide, for `nash`, `planner`, `stackelberg`."""

    EXAMPLE = "ConsensusGame(flows, 1.0, 1.0)"

    @abc.abstractmethod
    def costs(
        self, controls: Float[Array, "..."], x0: Any, ts: Any = None
    ) -> Float[Array, " players"]:
        """What each player pays for the controls [N, ...] of all, from the start x0, over the times ts."""

    @abc.abstractmethod
    def blank(self, x0: Any, ts: Any = None) -> Controls:
        """Controls that do nothing; ValueError, with the remedy, for a start that does not fit."""


def check_controls(
    controls: Any,
    blank: Controls,
    name: str = "controls",
    remedy: str = "change those of game.blank(x0, ts)",
) -> Controls:
    """Controls as an array of the shape of those that do nothing."""
    controls = check_finite(controls, name)
    if controls.shape != blank.shape:
        raise ValueError(
            f"expected controls of shape {list(blank.shape)}, got {list(controls.shape)}; {remedy}."
        )
    return controls
