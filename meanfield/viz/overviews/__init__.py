"""A picture of any labelled dataset, a panel for each of its variables."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._overview import overview as overview

__getattr__, __dir__ = offers(__name__)
