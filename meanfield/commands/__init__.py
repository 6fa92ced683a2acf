"""The command line: `_cli` dispatches to a file for each command; `meanfield.program` has their parts."""

from ._cli import main as main
