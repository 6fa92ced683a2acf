"""Tokens in order: twisted rings, what early tokens tell the last, sinks, distances of sequences."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._adapted_distances import AdaptedDistances as AdaptedDistances
    from ._causeformer import Causeformer as Causeformer
    from ._influence import Influence as Influence
    from ._twisted_rings import TwistedRings as TwistedRings
    from ._window_limit import WindowLimit as WindowLimit

__getattr__, __dir__ = offers(__name__)
