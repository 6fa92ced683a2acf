"""Tokens as the states of a chain, clusters as its macro states, and what the coarse picture loses."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._abstraction import abstraction_error as abstraction_error
    from ._chain import (
        CoarseChain as CoarseChain,
        coarse_chain as coarse_chain,
        effective_information as effective_information,
    )

__getattr__, __dir__ = offers(__name__)
