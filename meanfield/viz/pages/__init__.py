"""A run as one page for the browser: what it holds, packed, and the page around it."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._page import Page as Page, page as page

__getattr__, __dir__ = offers(__name__)
