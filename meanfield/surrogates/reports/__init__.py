"""Reports in Markdown and HTML."""

from ._blocks import as_html as as_html, as_markdown as as_markdown
from ._report import Findings as Findings, blocks_of as blocks_of
from ._validation import Check as Check, validation as validation
