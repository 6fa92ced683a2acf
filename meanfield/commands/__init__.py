"""The command line: `_cli` dispatches to a file for each command; `meanfield.program` has their parts."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._cli import main as main

__getattr__, __dir__ = offers(__name__)
