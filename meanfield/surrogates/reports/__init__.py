"""Reports in Markdown and HTML."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._blocks import as_html as as_html, as_markdown as as_markdown
    from ._report import Findings as Findings, blocks_of as blocks_of
    from ._validation import Check as Check, validation as validation

__getattr__, __dir__ = offers(__name__)
