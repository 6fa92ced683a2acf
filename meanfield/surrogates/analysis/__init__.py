"""What follows from a model: sensitivities, bands, counterfactuals, controls."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._control import Control as Control, control as control
    from ._counterfactuals import (
        Counterfactual as Counterfactual,
        counterfactuals as counterfactuals,
    )
    from ._propagation import propagate as propagate
    from ._sensitivity import Sensitivity as Sensitivity, sensitivity as sensitivity

__getattr__, __dir__ = offers(__name__)
