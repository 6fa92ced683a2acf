import abc
from typing import Any

from jaxtyping import Array, Float

from ..._door import AbstractChecked

Controls = Float[Array, "players ..."]


class AbstractGame(AbstractChecked):
    """Several players with a cost each, which all controls decide, for `nash`, `planner`, `stackelberg`."""

    EXAMPLE = "ConsensusGame(flows, 1.0, 1.0)"

    @abc.abstractmethod
    def costs(self, controls: Controls, x0: Any, ts: Any = None) -> Float[Array, " players"]:
        """What each player pays for the controls [N, ...] of all, from the start x0, over the times ts."""

    @abc.abstractmethod
    def blank(self, x0: Any, ts: Any = None) -> Controls:
        """Controls that do nothing; ValueError, with the remedy, for a start that does not fit."""
