"""Commands on the folder of a run: shown, drawn, viewed, exported."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._pictures import save_picture as save_picture

__getattr__, __dir__ = offers(__name__)
